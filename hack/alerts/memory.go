package main

import (
	"context"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/util/annotations"
)

// memory has the series of a request. It implements storage.Queryable and storage.Querier.
type memory []series

// Querier implements storage.Queryable.
func (m memory) Querier(int64, int64) (storage.Querier, error) { return m, nil }

// Select implements storage.Querier.
func (m memory) Select(
	_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher,
) storage.SeriesSet {
	found := &list{at: -1}
	for i := range m {
		if matches(labels.FromMap(m[i].Labels), matchers) {
			found.all = append(found.all, m[i].toStorage())
		}
	}
	slices.SortFunc(found.all, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	return found
}

func matches(l labels.Labels, matchers []*labels.Matcher) bool {
	return !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(l.Get(m.Name)) })
}

// toStorage gives each value its minute, in milliseconds.
func (s *series) toStorage() storage.Series {
	points := make([]promql.FPoint, len(s.Values))
	for i, value := range s.Values {
		points[i] = promql.FPoint{T: int64(i) * 60_000, F: value}
	}
	return promql.NewStorageSeries(promql.Series{Metric: labels.FromMap(s.Labels), Floats: points})
}

// LabelValues implements storage.LabelQuerier. The engine asks for no labels.
func (memory) LabelValues(
	context.Context, string, *storage.LabelHints, ...*labels.Matcher,
) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// LabelNames implements storage.LabelQuerier.
func (memory) LabelNames(
	context.Context, *storage.LabelHints, ...*labels.Matcher,
) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

// Close implements storage.LabelQuerier.
func (memory) Close() error { return nil }

// list is a storage.SeriesSet.
type list struct {
	all []storage.Series
	at  int
}

func (l *list) Next() bool                      { l.at++; return l.at < len(l.all) }
func (l *list) At() storage.Series              { return l.all[l.at] }
func (*list) Err() error                        { return nil }
func (*list) Warnings() annotations.Annotations { return nil }
