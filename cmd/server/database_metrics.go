package main

import (
	"maps"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"keywright.dev/keywright/internal/database"
)

// databaseMetrics collects what is known of the tables and the volume of the database.
type databaseMetrics struct{ db *database.DB }

var (
	rowsDesc = prometheus.NewDesc("keywright_database_rows",
		"Rows of a table.", []string{"table"}, nil)
	bytesDesc = prometheus.NewDesc("keywright_database_bytes",
		"Size of a table and its indexes.", []string{"table"}, nil)
	removedDesc = prometheus.NewDesc("keywright_database_rows_removed_total",
		"Rows that were removed because they were old, or beyond the bound of their table.", []string{"table", "reason"}, nil)
	volumeFreeDesc = prometheus.NewDesc("keywright_database_volume_free_bytes",
		"Free space of the volume of a SQLite file.", nil, nil)
	volumeSizeDesc = prometheus.NewDesc("keywright_database_volume_bytes",
		"Size of the volume of a SQLite file.", nil, nil)
)

// Describe is part of prometheus.Collector.
func (databaseMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{rowsDesc, bytesDesc, removedDesc, volumeFreeDesc, volumeSizeDesc} {
		to <- desc
	}
}

// Collect is part of prometheus.Collector.
func (m databaseMetrics) Collect(to chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value int64, labels ...string) {
		if value >= 0 {
			to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), labels...)
		}
	}
	for _, table := range m.db.Tables() {
		gauge(rowsDesc, table.Rows, table.Name)
		gauge(bytesDesc, table.Bytes, table.Name)
		for _, reason := range slices.Sorted(maps.Keys(table.Removed)) {
			to <- prometheus.MustNewConstMetric(
				removedDesc, prometheus.CounterValue, float64(table.Removed[reason]), table.Name, reason)
		}
	}
	if v := m.db.Volume(); v != nil {
		to <- prometheus.MustNewConstMetric(volumeFreeDesc, prometheus.GaugeValue, float64(v.Free))
		to <- prometheus.MustNewConstMetric(volumeSizeDesc, prometheus.GaugeValue, float64(v.Size))
	}
}
