package v1alpha1

// BudgetPeriod is how long a budget lasts before its counter begins again at zero. Periods begin at a full hour, day or
// month in UTC.
// +kubebuilder:validation:Enum=Hour;Day;Month
type BudgetPeriod string

const (
	// BudgetHour: the counter begins again at every full hour.
	BudgetHour BudgetPeriod = "Hour"
	// BudgetDay: the counter begins again at midnight UTC.
	BudgetDay BudgetPeriod = "Day"
	// BudgetMonth: the counter begins again on the first of the month at midnight UTC.
	BudgetMonth BudgetPeriod = "Month"
)

// BudgetAction is what happens to a request while the budget is used up.
// +kubebuilder:validation:Enum=Deny;Warn
type BudgetAction string

const (
	// BudgetDeny: the request is refused with status 429.
	BudgetDeny BudgetAction = "Deny"
	// BudgetWarn: the request is accepted. Condition WithinBudget, an event, the list of budgets and the metrics show that
	// the budget is used up.
	BudgetWarn BudgetAction = "Warn"
)

// Dollars is an amount of US dollars, above 0, with up to 9 decimals.
// +kubebuilder:validation:MaxLength=19
// +kubebuilder:validation:XValidation:rule="self.matches('^(0|[1-9][0-9]{0,8})([.][0-9]{1,9})?$') && self.matches('[1-9]')",message="must be an amount above 0 such as 50 or 0.25, with up to 9 digits before the point and 9 after it"
type Dollars string

// Budget limits what the AI calls of a key may cost, or how many tokens they may use, in each period. The counters are
// in the server's database.
// +kubebuilder:validation:ExactlyOneOf=usd;tokens
type Budget struct {
	// name identifies the budget in messages and metrics: up to 63 lower case letters, digits and '-'. Example: daily.
	// +required
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",message="must be lower case letters, digits and '-', a letter or digit first and last"
	Name string `json:"name,omitempty"`

	// usd is the amount in US dollars. Calls of unknown cost count nothing. Exactly one of usd and tokens is set.
	// Example: 12.50.
	// +optional
	USD Dollars `json:"usd,omitempty"`

	// tokens is the number of tokens: input, output, and those read from and written to a cache. Exactly one of usd and
	// tokens is set. Example: 1000000.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000000000000000
	Tokens int64 `json:"tokens,omitempty"`

	// period is Hour, Day or Month, in UTC.
	// +required
	Period BudgetPeriod `json:"period,omitempty"`

	// action is what happens to requests once the budget is used up. Deny: they are refused with status 429 until the
	// period ends. Warn: they are accepted and reported.
	// +optional
	// +default="Deny"
	Action BudgetAction `json:"action,omitempty"`
}
