package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// MigrateConfig says where and how the stores shall be set up.
type MigrateConfig struct {
	Dial   DialConfig // with the administrator's key; its roster says which nodes there are
	Limits Limits
}

// Migrate sets up the stores of an external server, or brings them to the
// limits and the nodes given. A second time it changes nothing.
func Migrate(ctx context.Context, cfg MigrateConfig) error {
	cfg.Dial.User = Admin
	a, err := cfg.Dial.connect(ctx)
	if err != nil {
		return err
	}
	defer a.nc.Close()
	return migrate(ctx, a.nc, cfg.Dial.Roster, cfg.Limits, cfg.Dial.log())
}

func migrate(ctx context.Context, nc *nats.Conn, roster Roster, limits Limits, log *slog.Logger) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return fmt.Errorf("set up the stores: %w", err)
	}
	if err := serves(nc.ConnectedServerVersion()); err != nil {
		return err
	}
	for _, want := range streams(limits.withDefaults()) {
		if err := migrateStream(ctx, js, want, log); err != nil {
			return fmt.Errorf("set up store %s: %w", want.Name, err)
		}
	}
	return migrateConsumers(ctx, js, roster, log)
}

// serves tells whether a nats-server is new enough: readers of nodes are reset
// to where they are to read from, which servers know since 2.14.
func serves(version string) error {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return fmt.Errorf("set up the stores: %w: the server calls its version %q", ErrUnavailable, version)
	}
	if major < 2 || major == 2 && minor < 14 {
		return fmt.Errorf("set up the stores: %w: nats-server %s is too old: use 2.14 or newer", ErrUnavailable, version)
	}
	return nil
}

func migrateStream(ctx context.Context, js jetstream.JetStream, want jetstream.StreamConfig, log *slog.Logger) error {
	s, err := js.Stream(ctx, want.Name)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		want.Metadata = map[string]string{layoutKey: strconv.Itoa(layout)}
		if _, err = js.CreateStream(ctx, want); err == nil {
			log.Info("store created", "store", want.Name, "max_bytes", want.MaxBytes)
		}
		return err
	}
	if err != nil {
		return err
	}
	info := s.CachedInfo()
	is := info.Config
	if v, err := strconv.Atoi(is.Metadata[layoutKey]); err == nil && v > layout {
		return fmt.Errorf("%w: its layout is %d, this program knows %d: use the newer program", ErrNewer, v, layout)
	}
	over := info.State.Bytes > uint64(max(want.MaxBytes, 0))
	if want.Discard == jetstream.DiscardNew && over {
		return fmt.Errorf("%w: it holds %d bytes, more than the limit of %d asked for: nothing is thrown away; ask for more", ErrFull, info.State.Bytes, want.MaxBytes)
	}
	next := overlay(is, want)
	if reflect.DeepEqual(is, next) {
		return nil
	}
	if want.Discard == jetstream.DiscardOld && over {
		log.Warn("store lets go of its oldest for its new limit", "store", want.Name, "bytes", info.State.Bytes, "max_bytes", want.MaxBytes)
	}
	if _, err := js.UpdateStream(ctx, next); err != nil {
		return err
	}
	log.Info("store changed", "store", want.Name, "max_bytes", want.MaxBytes)
	return nil
}

// overlay puts what we decide over what there is, and leaves the rest (placement,
// what newer servers add) as it is.
func overlay(is, want jetstream.StreamConfig) jetstream.StreamConfig {
	next := is
	next.Description, next.Subjects, next.RePublish = want.Description, want.Subjects, want.RePublish
	next.Discard, next.MaxBytes, next.MaxAge = want.Discard, want.MaxBytes, want.MaxAge
	next.MaxMsgs, next.MaxMsgsPerSubject, next.MaxMsgSize = want.MaxMsgs, want.MaxMsgsPerSubject, want.MaxMsgSize
	next.Replicas, next.Duplicates, next.AllowDirect = want.Replicas, want.Duplicates, want.AllowDirect
	next.AllowRollup, next.AllowMsgTTL = want.AllowRollup, want.AllowMsgTTL
	next.Metadata = maps.Clone(is.Metadata)
	if next.Metadata == nil {
		next.Metadata = map[string]string{}
	}
	next.Metadata[layoutKey] = strconv.Itoa(layout)
	return next
}

// migrateConsumers makes what nodes read their own part of a store through,
// and removes those of nodes that are no longer in the roster.
func migrateConsumers(ctx context.Context, js jetstream.JetStream, roster Roster, log *slog.Logger) error {
	for _, stream := range []string{ledgerStream, inventoryStream} {
		want := map[string]string{}
		for _, k := range roster.Keys {
			if filter, ok := consumersOf(k.User)[stream]; ok {
				want[k.User.token()] = filter
			}
		}
		s, err := js.Stream(ctx, stream)
		if err != nil {
			return fmt.Errorf("set up readers of %s: %w", stream, err)
		}
		list := s.ListConsumers(ctx)
		for info := range list.Info() {
			filter, wanted := want[info.Name]
			switch {
			case wanted && info.Config.FilterSubject == filter && info.Config.AckPolicy == jetstream.AckNonePolicy:
				delete(want, info.Name)
			case !wanted && !strings.HasPrefix(info.Name, string(RoleCollector)+"-") && !strings.HasPrefix(info.Name, string(RoleResponder)+"-"):
				// somebody else's
			default:
				if err := s.DeleteConsumer(ctx, info.Name); err != nil {
					return fmt.Errorf("remove reader %s of %s: %w", info.Name, stream, err)
				}
				log.Info("reader removed", "store", stream, "reader", info.Name)
			}
		}
		if err := list.Err(); err != nil {
			return fmt.Errorf("list readers of %s: %w", stream, err)
		}
		for name, filter := range want {
			_, err := s.CreateConsumer(ctx, jetstream.ConsumerConfig{
				Durable: name, FilterSubject: filter,
				DeliverPolicy: jetstream.DeliverAllPolicy, AckPolicy: jetstream.AckNonePolicy,
			})
			if err != nil {
				return fmt.Errorf("make reader %s of %s: %w", name, stream, err)
			}
		}
	}
	return nil
}
