package schemas

import "strings"

// Catalog lists every event type with an example of its data; the JSON
// Schemas and the type check of conditions are made from it.
var Catalog = []CatalogEntry{
	{ImagePushed, "An image was pushed to a registry", ImageEvent{}},
	{ImagePulled, "An image was pulled from a registry", ImageEvent{}},
	{ImageDeleted, "An image or a tag was deleted from a registry", ImageEvent{}},
	{TagMoved, "A tag names another image than before", TagEvent{}},
	{ImageScanned, "An image was scanned for vulnerabilities", ScanEvent{}},
	{ImageVerified, "The signatures of an image were looked at", SignatureEvent{}},
	{ImageAssessed, "What an image brings along was looked at", AssessmentEvent{}},
	{SourceUntrusted, "An image comes from a registry that is not trusted", UntrustedEvent{}},

	{ContainerObserved, "A container that was already running when the collector looked", ContainerEvent{}},
	{ContainerStarted, "A container was started", ContainerEvent{}},
	{ContainerExited, "A container ended", ContainerEvent{}},
	{ContainerOOM, "The kernel ended processes of a container for want of memory", ContainerEvent{}},
	{ContainerPaused, "A container was paused", ContainerEvent{}},
	{ContainerResumed, "A container runs on after a pause", ContainerEvent{}},
	{ContainerUsage, "What a container uses, sampled every 10 s", ContainerEvent{}},
	{ExecStarted, "A process was put into a running container through its runtime", ProcessEvent{}},
	{ProcessStarted, "A process executed a program", ProcessEvent{}},
	{ConnectionOpened, "A process opened a connection", ConnectionEvent{}},

	{HostProcessStarted, "A process outside any container executed a program", ProcessEvent{}},
	{FileChanged, "A watched file of a host was changed", FileEvent{}},
	{LoginSucceeded, "Somebody logged in to a host", LoginEvent{}},
	{LoginFailed, "Somebody failed to log in to a host", LoginEvent{}},
	{ModuleLoaded, "A kernel module was loaded", ModuleEvent{}},
	{ContainerRogue, "A container runs that no orchestrator knows", ContainerEvent{}},
	{ConfigDrifted, "A host's setting is not what its baseline says", ConfigEvent{}},
	{PackageVulnerable, "A package installed on a host has a known vulnerability", PackageEvent{}},

	{PodObserved, "A pod that was there when the collector looked", PodEvent{}},
	{PodStarted, "A pod was started", PodEvent{}},
	{PodChanged, "A pod was changed", PodEvent{}},
	{PodDeleted, "A pod was deleted", PodEvent{}},
	{APICalled, "Somebody called the Kubernetes API", AuditEvent{}},
	{RBACChanged, "A role or a binding was changed", RBACEvent{}},
	{ServiceExposed, "A service was made reachable from outside its cluster", ServiceEvent{}},
	{WorkloadChanged, "A workload was changed", WorkloadEvent{}},
	{PolicyChanged, "A policy of the cluster was changed", PolicyEvent{}},

	{FalcoRule, "A rule of Falco matched", FalcoEvent{}},
	{TetragonEvent, "Tetragon told of something that has no type of ours", TetragonData{}},
	{HarborPushed, "Harbor: an artifact was pushed", HarborEvent{}},
	{HarborPulled, "Harbor: an artifact was pulled", HarborEvent{}},
	{HarborDeleted, "Harbor: an artifact was deleted", HarborEvent{}},
	{HarborTagged, "Harbor: a tag was put on an artifact", HarborEvent{}},
	{HarborScanCompleted, "Harbor: a scan is complete", HarborEvent{}},
	{HarborScanFailed, "Harbor: a scan failed", HarborEvent{}},
	{HarborScanStopped, "Harbor: a scan was stopped", HarborEvent{}},
	{HarborQuotaExceeded, "Harbor: a project's quota is exceeded", HarborEvent{}},
	{HarborQuotaNear, "Harbor: a project's quota is nearly used up", HarborEvent{}},
	{HarborReplicated, "Harbor: a replication's status changed", HarborEvent{}},
	{HarborRetained, "Harbor: a retention task is finished", HarborEvent{}},

	{Heartbeat, "A source is alive", SourceEvent{}},
	{Tick, "Time goes on", TickEvent{}},
	{SourceLost, "A source broke off or fell silent", SourceEvent{}},
	{EventsLost, "Events were lost before they could be stored", LossEvent{}},
	{EventsSuppressed, "Events of one noisy container were left out", LossEvent{}},
	{EventsRefused, "What came was no event that could be taken", RefusedEvent{}},
	{LogGap, "A reader of the log came too late for some of it", GapEvent{}},
	{WindowOverflowed, "A playbook had too many groups at once", OverflowEvent{}},
	{MatchUnknown, "Whether something failed to come cannot be told", UnknownEvent{}},
	{PlaybooksChanged, "Another set of playbooks is in force", PlaybooksEvent{}},
	{GroupArmed, "A group of a playbook is armed again", GroupEvent{}},
	{GroupSuppressed, "A group of a playbook is left alone for a time", GroupEvent{}},
}

// CatalogEntry describes one event type.
type CatalogEntry struct {
	Type    string
	Summary string
	Data    any // zero value of the Go type of its data
}

// Schema gives the catalog's entry of a type, and false for types it does not know.
func Schema(typ string) (CatalogEntry, bool) {
	for _, e := range Catalog {
		if e.Type == typ {
			return e, true
		}
	}
	return CatalogEntry{}, false
}

// FullType gives the full type of what playbooks write: ours come without the
// prefix, those of others as they are. False when the catalog knows neither.
func FullType(short string) (string, bool) {
	for _, full := range []string{Prefix + short, short} {
		if _, known := Schema(full); known && (full != short || !strings.HasPrefix(short, Prefix)) {
			return full, true
		}
	}
	return "", false
}

// ShortType is a type as playbooks write it.
func ShortType(full string) string { return strings.TrimPrefix(full, Prefix) }
