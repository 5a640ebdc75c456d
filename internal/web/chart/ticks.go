package chart

import "math"

// maxValue is where values end, and maxSum where axes do, so that every calculation is finite.
const maxValue, maxSum = 1e90, 1e100

// clean returns a value that can be drawn: what is not a number, or negative, is 0.
func clean(value float64) float64 {
	if math.IsNaN(value) || value < 0 {
		return 0
	}
	return min(value, maxValue)
}

// Ticks returns the values of an axis from 0 to highest or a little more, at the most so many steps apart. A step is 1,
// 2 or 5 times a power of ten. With whole it is at least 1.
func Ticks(highest float64, most int, whole bool) []float64 {
	if math.IsInf(highest, 1) {
		highest = maxSum
	}
	if math.IsNaN(highest) || highest <= 0 {
		return []float64{0, 1}
	}
	step := stepOf(highest, max(1, most), whole)
	ticks := []float64{0}
	for n := 1; ticks[len(ticks)-1] < highest; n++ {
		ticks = append(ticks, float64(n)*step)
	}
	return ticks
}

// least is the smallest step: amounts of money end at a billionth.
const least = 1e-9

func stepOf(highest float64, most int, whole bool) float64 {
	smallest := least
	if whole {
		smallest = 1
	}
	if highest <= smallest {
		return smallest
	}
	exponent := math.Floor(math.Log10(highest / float64(most)))
	for ; ; exponent++ {
		for _, digit := range []float64{1, 2, 5} {
			step := digit * math.Pow(10, exponent)
			if step >= smallest && highest <= step*float64(most) {
				return step
			}
		}
	}
}
