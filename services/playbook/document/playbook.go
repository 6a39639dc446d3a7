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
}

// Signal is an event that a playbook waits for.
type Signal struct {
	_    struct{} `later:"any,all,sequence,count,distinct,absent,baseline,within,by,until"`
	Name Text     `json:"-"`
	Type Text     `json:"type" jsonschema:"description=The event's type without the prefix firebreak."`
	When *Text    `json:"when,omitempty" jsonschema:"description=A CEL condition on the event's data"`
}

// Match says how events belong together.
type Match struct {
	_  struct{} `later:"any,all,sequence,count,distinct,absent,baseline,within,until"`
	At Place    `json:"-"`
	By *By      `json:"by,omitempty" jsonschema:"description=The field or fields whose values make a group"`
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
	With         *Data     `json:"with,omitempty" jsonschema:"description=The action's parameters"`
	When         *Text     `json:"when,omitempty" jsonschema:"description=A CEL condition on incident and signals and steps"`
	Needs        []Text    `json:"needs,omitempty" jsonschema:"description=Steps that must have succeeded"`
	For          *Duration `json:"for,omitempty" jsonschema:"description=How long the effect is held"`
	OnExpire     *Text     `json:"onExpire,omitempty" jsonschema:"enum=keep,enum=release,enum=terminate,description=What then; keep by default for high and critical and else release"`
	Retry        *Retry    `json:"retry,omitempty"`
	Timeout      *Duration `json:"timeout,omitempty"`
	Irreversible *Flag     `json:"irreversible,omitempty" jsonschema:"description=Says that you know that it cannot be taken back"`
	OnFailure    []Step    `json:"onFailure,omitempty" jsonschema:"description=What to do when it failed or was ineffective or took too long"`
	Parallel     []Step    `json:"parallel,omitempty" jsonschema:"description=Instead of do: these steps at once"`
}

// Retry says how often a failed step is tried again.
type Retry struct {
	Attempts Number    `json:"attempts" jsonschema:"minimum=1,maximum=10"`
	Backoff  *Duration `json:"backoff,omitempty"`
}
