package document

// Playbook is one playbook as it is written. Keys without omitempty are required.
type Playbook struct {
	APIVersion Text      `json:"apiVersion" jsonschema:"enum=firebreak/v1,description=The version of the language"`
	Kind       Text      `json:"kind" jsonschema:"enum=Playbook"`
	Metadata   Metadata  `json:"metadata"`
	On         Signals   `json:"on" jsonschema:"description=The events it waits for by names of your own"`
	Match      *Match    `json:"match,omitempty"`
	Once       *Duration `json:"once,omitempty" jsonschema:"description=One incident per group in that time; later matches are noted in it"`
	Guard      *Guard    `json:"guard,omitempty"`
	Then       []Step    `json:"then" jsonschema:"description=What to do in this order"`
}

// Metadata says what the playbook is.
type Metadata struct {
	At       Place  `json:"-"`
	Name     Text   `json:"name" jsonschema:"pattern=^[a-z0-9]([a-z0-9-]*[a-z0-9])?$,maxLength=63,description=Its name; the same name is the same playbook"`
	Summary  Text   `json:"summary" jsonschema:"maxLength=200,description=One sentence on what has happened when it matches"`
	Arena    Text   `json:"arena" jsonschema:"enum=registry,enum=runtime,enum=host,enum=cluster"`
	Severity Text   `json:"severity" jsonschema:"enum=low,enum=medium,enum=high,enum=critical"`
	Attack   []Text `json:"attack,omitempty" jsonschema:"description=MITRE ATT&CK techniques such as T1496.001"`
	Matrix   []Text `json:"matrix,omitempty" jsonschema:"description=Microsoft's threat matrix for Kubernetes: techniques such as MS-TA9004"`
}

// Signal is what a playbook waits for: an event (Type, When), or a match of
// other signals.
type Signal struct {
	At   Place            `json:"-"`
	Keys map[string]Place `json:"-"`
	Name Text             `json:"-"`
	Type *Text            `json:"type,omitempty" jsonschema:"description=The event's type; ours without the prefix firebreak."`
	When *Text            `json:"when,omitempty" jsonschema:"description=A CEL condition on the event's data"`
	Joint
}

// Match is what opens an incident. With one signal the operator may be left out.
type Match struct {
	At   Place            `json:"-"`
	Keys map[string]Place `json:"-"`
	Joint
}

// Joint is how signals are joined: one operator, and what belongs to it.
type Joint struct {
	Any      []Text    `json:"any,omitempty" jsonschema:"maxItems=32,description=One of these signals"`
	All      []Text    `json:"all,omitempty" jsonschema:"minItems=2,maxItems=32,description=Each of these signals in any order"`
	Sequence []Text    `json:"sequence,omitempty" jsonschema:"minItems=2,maxItems=32,description=Each of these signals in this order"`
	Until    *Text     `json:"until,omitempty" jsonschema:"description=Beside sequence: the signal that breaks it off"`
	Count    *Count    `json:"count,omitempty"`
	Distinct *Distinct `json:"distinct,omitempty"`
	Absent   *Absent   `json:"absent,omitempty"`
	Baseline *Baseline `json:"baseline,omitempty"`
	By       *By       `json:"by,omitempty" jsonschema:"description=The field or fields whose values make a group; or those of each operand by its name"`
	Within   *Duration `json:"within,omitempty" jsonschema:"description=In which time of the events; at most 24h"`
}

// Count is a signal so many times.
type Count struct {
	At      Place  `json:"-"`
	Of      Text   `json:"of"`
	AtLeast Number `json:"atLeast" jsonschema:"minimum=1,maximum=10000"`
}

// Distinct is a signal with so many values of a field.
type Distinct struct {
	At      Place  `json:"-"`
	Of      Text   `json:"of"`
	Field   Text   `json:"field"`
	AtLeast Number `json:"atLeast" jsonschema:"minimum=2,maximum=10000"`
}

// Absent is a signal after which another does not come.
type Absent struct {
	At     Place `json:"-"`
	After  Text  `json:"after"`
	Expect Text  `json:"expect"`
}

// Baseline is a signal whose field is far above what it was.
type Baseline struct {
	At     Place    `json:"-"`
	Of     Text     `json:"of"`
	Field  Text     `json:"field"`
	Factor Fraction `json:"factor" jsonschema:"minimum=1,description=How many times the mean of the group's earlier values"`
	Over   Duration `json:"over" jsonschema:"description=How far back those values reach; at most 24h"`
}

// Guard bounds what the playbook may do.
type Guard struct {
	At         Place     `json:"-"`
	Mode       *Text     `json:"mode,omitempty" jsonschema:"enum=observe,enum=approve,enum=enforce,default=observe"`
	Except     *Text     `json:"except,omitempty" jsonschema:"description=A CEL condition on the event's data; what it is true for is left alone"`
	Limit      *Limit    `json:"limit,omitempty"`
	StaleAfter *Duration `json:"staleAfter,omitempty" jsonschema:"description=A match older than this is asked about and not enforced; 15m by default"`
}

// Limit is a budget.
type Limit struct {
	Targets Number   `json:"targets" jsonschema:"minimum=1,description=How many targets at most"`
	Per     Duration `json:"per" jsonschema:"description=in which time"`
	Share   *Text    `json:"share,omitempty" jsonschema:"pattern=^(100|[1-9][0-9]?)%$,description=Share of a workload's replicas at most"`
}

// Step is one thing to do.
type Step struct {
	_            struct{}  `later:"approve"`
	At           Place     `json:"-"`
	Do           *Text     `json:"do,omitempty" jsonschema:"description=The action"`
	ID           *Text     `json:"id,omitempty" jsonschema:"pattern=^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$,maxLength=63,description=Its name; the action's by default"`
	Target       *Text     `json:"target,omitempty" jsonschema:"description=CEL giving one entity or a list; by default the entity that the incident holds"`
	When         *Text     `json:"when,omitempty" jsonschema:"description=A CEL condition on incident and signals and steps"`
	Needs        []Text    `json:"needs,omitempty" jsonschema:"description=Steps that must have succeeded"`
	With         *Data     `json:"with,omitempty" jsonschema:"description=The action's parameters"`
	For          *Duration `json:"for,omitempty" jsonschema:"description=How long the effect is held"`
	OnExpire     *Text     `json:"onExpire,omitempty" jsonschema:"enum=keep,enum=release,enum=terminate,description=What then; keep by default for high and critical and else release"`
	Retry        *Retry    `json:"retry,omitempty"`
	Timeout      *Duration `json:"timeout,omitempty"`
	Irreversible *Flag     `json:"irreversible,omitempty" jsonschema:"description=Says that you know that it cannot be taken back"`
	Parallel     []Step    `json:"parallel,omitempty" jsonschema:"description=Instead of do: these steps at once"`
	OnFailure    []Step    `json:"onFailure,omitempty" jsonschema:"description=What to do when it failed or was ineffective or took too long"`
}

// Retry says how often a failed step is tried again.
type Retry struct {
	Attempts Number    `json:"attempts" jsonschema:"minimum=1,maximum=10"`
	Backoff  *Duration `json:"backoff,omitempty"`
}
