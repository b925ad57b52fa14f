package web_test

import (
	"math"
	"strconv"
	"testing"
)

// luminance is the relative luminance of WCAG 2.2, of a colour such as #0b6e4f.
func luminance(t *testing.T, hex string) (sum float64) {
	t.Helper()
	for i, weight := range []float64{.2126, .7152, .0722} {
		n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		part := float64(n) / 255
		if part <= .04045 {
			sum += weight * part / 12.92
			continue
		}
		sum += weight * math.Pow((part+.055)/1.055, 2.4)
	}
	return sum
}
