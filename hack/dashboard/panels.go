package main

// now are the figures at the top.
var now = []panel{
	{"Servers ready", "Replicas whose /readyz replies 200.", "short", []query{{`sum(keywright_ready)`, ""}}},
	{"Operators", "Replicas that Prometheus scrapes.", "short",
		[]query{{`count(keywright_build_info{program="operator"})`, ""}}},
	{"Accepted keys", "Objects whose key is accepted.", "short", []query{{`sum(keywright_keys{state="active"})`, ""}}},
	{"Objects that wait for a person", "Their condition Stalled says what to do.", "short",
		[]query{{`sum(keywright_stalled_objects)`, ""}}},
	{"Next end of a key", "Without keys that a schedule replaces before.", "s",
		[]query{{`min(keywright_next_expiry_seconds)`, ""}}},
	{"Oldest view", "How long ago a server knew to have everything.", "s",
		[]query{{`max(keywright_index_age_seconds)`, ""}}},
}

// rows are the graphs below.
var rows = []struct {
	title  string
	panels []panel
}{
	{"Decisions", []panel{
		{"Decisions", "By outcome, for all surfaces.", "reqps",
			[]query{{`sum by (outcome) (rate(keywright_decisions_total[$__rate_interval]))`, "{{outcome}}"}}},
		{"Refused keys", "By verdict. Clients cannot distinguish them.", "reqps", []query{{
			`sum by (verdict) (rate(keywright_verifications_total{verdict!="accepted"}[$__rate_interval]))`, "{{verdict}}",
		}}},
		{"Duration of decisions", "One in a hundred takes longer.", "s", []query{{
			`histogram_quantile(0.99, sum by (surface, le) (rate(keywright_decision_seconds_bucket[$__rate_interval])))`,
			"{{surface}}",
		}}},
		{"Duration of other requests", "One in twenty takes longer.", "s", []query{{
			`histogram_quantile(0.95, sum by (group, le) (rate(keywright_request_seconds_bucket[$__rate_interval])))`,
			"{{group}}",
		}}},
	}},
	{"Keys", []panel{
		{"Objects by state", "", "short", []query{{`sum by (kind, state) (keywright_keys) > 0`, "{{kind}} {{state}}"}}},
		{"Issued, rotated and ended", "In the last hour.", "short", []query{
			{`sum(increase(keywright_keys_issued_total[1h]))`, "issued"},
			{`sum(increase(keywright_key_rotations_total[1h]))`, "rotated"},
			{`sum(increase(keywright_keys_ended_total[1h]))`, "ended"},
		}},
		{"Failed reconciliations", "By controller of the operator.", "ops", []query{{
			`sum by (controller) (rate(controller_runtime_reconcile_errors_total[$__rate_interval]))`, "{{controller}}",
		}}},
		{"Objects that wait for the operator", "By controller.", "short",
			[]query{{`sum by (controller) (workqueue_depth)`, "{{controller}}"}}},
	}},
	{"Server", []panel{
		{"Keys in the index", "By replica: all should be the same.", "short",
			[]query{{`keywright_index_keys`, "{{instance}}"}}},
		{"Age of the view", "By replica.", "s", []query{{`keywright_index_age_seconds`, "{{instance}}"}}},
		{"Database", "1: usable.", "short", []query{{`keywright_database_up`, "{{instance}}"}}},
		{"Size of tables", "", "bytes", []query{{`max by (table) (keywright_database_bytes)`, "{{table}}"}}},
		{"What was not recorded", "In the last hour, because too much waited for the database.", "short", []query{
			{`sum(increase(keywright_audit_dropped_total[1h]))`, "audit entries"},
			{`sum(increase(keywright_uses_dropped_total[1h]))`, "uses"},
			{`sum(increase(keywright_address_uses_dropped_total[1h]))`, "uses by address"},
		}},
		{"Memory", "", "bytes", []query{{
			`process_resident_memory_bytes * on (instance) group_left (program) keywright_build_info`,
			"{{program}} {{instance}}",
		}}},
	}},
	{"Token usage", []panel{
		{"Tokens", "By model.", "short", []query{{
			`sum by (model) (rate(keywright_usage_tokens_total[$__rate_interval]))`, "{{model}}",
		}}},
		{"Cost in an hour", "US dollars, by model.", "currencyUSD", []query{{
			`sum by (model) (increase(keywright_usage_cost_dollars_total[1h]))`, "{{model}}",
		}}},
	}},
}
