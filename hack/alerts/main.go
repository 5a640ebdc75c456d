// Command alerts evaluates alerting rules on series, with Prometheus' own engine. It reads a request from stdin, and
// writes the labels of the alerts that fire at its end to stdout, by the name of the alert. Both are JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
)

// request is what to evaluate.
type request struct {
	Rules []rule `json:"rules"`
	// Series have one value for each minute, from the first minute on.
	Series []series `json:"series"`
	// Minutes is how long to evaluate.
	Minutes int `json:"minutes"`
}

// rule is an alert. It fires once its expression has had the same result labels for at least For.
type rule struct {
	Alert string `json:"alert"`
	Expr  string `json:"expr"`
	For   string `json:"for"`
}

type series struct {
	Labels map[string]string `json:"labels"`
	Values []float64         `json:"values"`
}

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "alerts:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	var r request
	if err := json.NewDecoder(in).Decode(&r); err != nil {
		return err
	}
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute,
		Parser: parser.NewParser(parser.Options{}),
	})
	firing := map[string][]string{}
	for _, rule := range r.Rules {
		labels, err := rule.firing(engine, &r)
		if err != nil {
			return fmt.Errorf("%s: %w", rule.Alert, err)
		}
		if len(labels) > 0 {
			firing[rule.Alert] = labels
		}
	}
	return json.NewEncoder(out).Encode(firing)
}

// firing returns the labels for which the rule fires in the last minute.
func (r *rule) firing(engine *promql.Engine, of *request) (labels []string, err error) {
	var held time.Duration
	if r.For != "" {
		if held, err = time.ParseDuration(r.For); err != nil {
			return nil, err
		}
	}
	end := time.Unix(0, 0).Add(time.Duration(of.Minutes) * time.Minute)
	ctx := context.Background()
	query, err := engine.NewRangeQuery(ctx, memory(of.Series), nil, r.Expr, end.Add(-held), end, time.Minute)
	if err != nil {
		return nil, err
	}
	defer query.Close()
	result := query.Exec(ctx)
	matrix, err := result.Matrix()
	if err != nil {
		return nil, err
	}
	for _, s := range matrix {
		if len(s.Floats) == int(held/time.Minute)+1 {
			labels = append(labels, s.Metric.String())
		}
	}
	return labels, nil
}
