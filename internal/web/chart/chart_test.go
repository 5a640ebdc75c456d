package chart_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"keywright.dev/keywright/internal/web/chart"
)

func TestTicks(t *testing.T) {
	for _, c := range []struct {
		highest float64
		whole   bool
		want    []float64
	}{
		{0, true, []float64{0, 1}}, {1, true, []float64{0, 1}}, {3, true, []float64{0, 1, 2, 3}},
		{10, true, []float64{0, 5, 10}}, {11, true, []float64{0, 5, 10, 15}},
		{0.5, false, []float64{0, 0.2, 0.4, 0.6000000000000001}},
		{-1, true, []float64{0, 1}}, {math.NaN(), false, []float64{0, 1}}, {9.3e18, true, []float64{0, 5e18, 1e19}},
		{math.Inf(1), false, []float64{0, 5e99, 1e100}},
	} {
		if got := chart.Ticks(c.highest, 4, c.whole); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%v: %v, want %v", c.highest, got, c.want)
		}
	}
}

func TestTicks_CoverEveryValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		highest, most := rapid.Float64Range(0, 1e20).Draw(t, "highest"), rapid.IntRange(1, 12).Draw(t, "most")
		if rapid.Bool().Draw(t, "small") {
			highest = rapid.Float64Range(0, 10).Draw(t, "highest")
		}
		whole := rapid.Bool().Draw(t, "whole")
		ticks := chart.Ticks(highest, most, whole)
		step := ticks[1]
		if ticks[0] != 0 || len(ticks) > most+1 || ticks[len(ticks)-1] < highest || whole && step < 1 {
			t.Fatalf("%v in %d: %v", highest, most, ticks)
		}
		if highest > 0 && ticks[len(ticks)-2] >= highest {
			t.Fatalf("%v: one less than %v is enough", highest, ticks)
		}
		unit := chart.Dollars
		if whole {
			unit = chart.Count
		}
		seen := map[string]bool{}
		for i, tick := range ticks {
			if i > 0 && math.Abs(tick-ticks[i-1]-step) > step*1e-6 {
				t.Fatalf("the steps of %v differ", ticks)
			}
			label := unit.Axis(tick, step)
			if seen[label] || len(label) > 12 {
				t.Fatalf("label %s of %v", label, ticks)
			}
			seen[label] = true
		}
	})
}

func TestUnit_Text(t *testing.T) {
	for want, got := range map[string]string{
		"0": chart.Count.Text(0), "1,234,567": chart.Count.Text(1234567), "999": chart.Count.Text(999),
		"$0.00": chart.Dollars.Text(0), "$1,234.50": chart.Dollars.Text(1234.5), "$0.000000001": chart.Dollars.Text(1e-9),
		"$9,223,372,036.85": chart.Dollars.Text(float64(math.MaxInt64) / 1e9),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := chart.Count.Text(math.NaN()) + chart.Dollars.Text(math.Inf(-1)); got != "0$0.00" {
		t.Error(got)
	}
}

// columns returns a chart of so many columns and series. Each value is 1.
func columns(n, series int) *chart.Columns {
	c := &chart.Columns{ID: "c", Title: "Cost", Description: "All of it", Unit: chart.Dollars}
	for i := range n {
		c.Labels = append(c.Labels, fmt.Sprintf("day %d", i))
	}
	for s := range series {
		one := chart.Series{Name: fmt.Sprint("model ", s)}
		for range n {
			one.Values = append(one.Values, 1)
		}
		c.Series = append(c.Series, one)
	}
	return c
}

var (
	styled = regexp.MustCompile(`\sstyle=|\son[a-z]+=|<style|<script`)
	tall   = regexp.MustCompile(`<rect class="series-[^"]+" x="([^"]+)" y="([^"]+)" width="([^"]+)" height="([^"]+)"`)
)

// check expects an image that is well-formed, without styles and scripts, and with every bar inside. It returns the sum
// of the heights of the bars.
func check(t interface{ Fatalf(string, ...any) }, svg string) (sum float64) {
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in %.300s", err, svg)
		}
	}
	if found := styled.FindString(svg); found != "" || strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
		t.Fatalf("%q in %.300s", found, svg)
	}
	for _, m := range tall.FindAllStringSubmatch(svg, -1) {
		var at [4]float64
		for i := range at {
			at[i], _ = strconv.ParseFloat(m[i+1], 64)
		}
		if x, y, w, h := at[0], at[1], at[2], at[3]; x < 60 || y < 11.9 || w <= 0 || x+w > 713 || y+h > 212.1 {
			t.Fatalf("%s is outside", m[0])
		}
		sum += at[3]
	}
	return sum
}

func TestColumns_OfAnySize(t *testing.T) {
	for _, c := range []struct{ columns, series, bars, entries int }{
		{0, 0, 0, 0}, {0, 3, 0, 3}, {1, 1, 1, 1}, {1, 0, 0, 0}, {30, 8, 240, 8}, {30, 9, 270, 9}, {30, 40, 270, 9},
		{120, 1, 120, 1}, {121, 1, 61, 1}, {1000, 1, 112, 1},
	} {
		drawn := columns(c.columns, c.series)
		svg := string(drawn.SVG())
		check(t, svg)
		if bars := strings.Count(svg, "<rect"); bars != c.bars || len(drawn.Legend()) != c.entries {
			t.Errorf("%+v: %d bars, %d entries", c, bars, len(drawn.Legend()))
		}
		if (svg == "") != (c.columns == 0) || len(svg) > 100<<10 {
			t.Errorf("%+v: %d bytes", c, len(svg))
		}
	}
}

func TestColumns_ShowsEveryValueOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := columns(rapid.IntRange(1, 400).Draw(t, "columns"), rapid.IntRange(1, 12).Draw(t, "series"))
		value := rapid.SampledFrom([]float64{0, 1, 5, 1e-9, 1e12, math.NaN(), math.Inf(1), -3, math.MaxInt64})
		for s := range c.Series {
			for range 5 {
				c.Series[s].Values[rapid.IntRange(0, len(c.Labels)-1).Draw(t, "label")] = value.Draw(t, "value")
			}
			// Some values may be missing.
			c.Series[s].Values = c.Series[s].Values[:rapid.IntRange(0, len(c.Labels)).Draw(t, "values")]
		}
		check(t, string(c.SVG()))
	})
	// Two columns of 1 and one of 2, in two series: the highest column is as tall as the axis.
	c := columns(3, 2)
	c.Series[0].Values[1], c.Series[0].Values[2] = 0, 0
	if sum := check(t, string(c.SVG())); sum != 400 {
		t.Errorf("the bars have %v in all, want 400", sum)
	}
}

func TestColumns_NameTheirValues(t *testing.T) {
	c := columns(2, 2)
	c.Series[1].Values[1] = 0
	svg := string(c.SVG())
	for _, want := range []string{
		`role="img" aria-labelledby="c-title c-desc"`, `<title id="c-title">Cost</title>`, `<desc id="c-desc">All of it</desc>`,
		"<title>day 0: $2.00\nmodel 0: $1.00\nmodel 1: $1.00</title>", "<title>day 1: $1.00\nmodel 0: $1.00</title>",
		">$0.00</text>", ">$2.00</text>",
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("%s is missing in %s", want, svg)
		}
	}
	if svg := string(columns(1000, 1).SVG()); !strings.Contains(svg, "<title>day 0 – day 8: $9.00</title>") {
		t.Errorf("%.3000s", svg)
	}
}

// Names come from clients.
func TestColumns_EscapeNames(t *testing.T) {
	const hostile = "</title><script>alert(1)</script>\"'&\x00\xff"
	c := &chart.Columns{
		ID: `"><b>`, Title: hostile, Description: hostile, Labels: []string{hostile, hostile},
		Series: []chart.Series{{hostile, []float64{1, 2}}, {hostile, []float64{1}}},
	}
	svg := string(c.SVG())
	check(t, svg)
	if strings.Contains(svg, "<b>") || strings.Contains(svg, "\x00") || !utf8.ValidString(svg) {
		t.Error(svg)
	}
}

// Labels do not overlap, however many there are.
func TestColumns_LeaveOutLabels(t *testing.T) {
	label := regexp.MustCompile(`<text class="chart-text" x="([^"]+)"[^>]+text-anchor="middle"[^>]*>([^<]*)<`)
	for _, n := range []int{1, 2, 7, 31, 120, 1000} {
		end := -1.0
		found := label.FindAllStringSubmatch(string(columns(n, 1).SVG()), -1)
		for _, m := range found {
			x, _ := strconv.ParseFloat(m[1], 64)
			half := float64(len([]rune(m[2]))) * 6.8 / 2
			if x-half < end || x+half > 720.1 {
				t.Errorf("%d columns: %s overlaps", n, m[2])
			}
			end = x + half
		}
		if len(found) == 0 {
			t.Errorf("%d columns have no label", n)
		}
	}
}

func TestMeter(t *testing.T) {
	for part, want := range map[float64]string{
		0: "", 0.5: `class="meter-warn" width="50"`, 1: `class="meter-warn" width="100"`, 7: `class="meter-warn" width="100"`,
		-1: "", math.NaN(): "", math.Inf(1): `class="meter-warn" width="100"`,
	} {
		svg := string(chart.Meter(part, chart.Near))
		check(t, svg)
		if !strings.Contains(svg, want) || strings.Count(svg, "<rect") != 1+min(1, len(want)) {
			t.Errorf("%v: %s", part, svg)
		}
	}
}
