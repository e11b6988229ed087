package policy

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// maxWindow bounds the windows of budgets, and the ages of logins and URLs.
const maxWindow = 366 * 24 * time.Hour

// parseWindow reads a whole number and s, m, h or d.
func parseWindow(text string) (time.Duration, bool) {
	units := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
	n, unit, ok := number(text)
	size := units[unit]
	if !ok || size == 0 || n < 1 || n > int64(maxWindow/size) {
		return 0, false
	}
	return time.Duration(n) * size, true
}

// parseSize reads a whole number and a unit of bytes.
func parseSize(text string) (int64, bool) {
	units := map[string]int64{
		"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
	}
	n, unit, ok := number(text)
	size := units[unit]
	if !ok || size == 0 || n < 1 || n > math.MaxInt64/size {
		return 0, false
	}
	return n * size, true
}

// parseCount reads a whole number from 1.
func parseCount(text string) (int64, bool) {
	n, unit, ok := number(text)
	return n, ok && unit == "" && n >= 1
}

// number divides text into a whole number, without sign and leading zeroes, and
// what follows it.
func number(text string) (n int64, rest string, ok bool) {
	digits := len(text) - len(strings.TrimLeft(text, "0123456789"))
	if digits == 0 || text[0] == '0' {
		return 0, "", false
	}
	n, err := strconv.ParseInt(text[:digits], 10, 64)
	return n, text[digits:], err == nil
}

// parseRate reads an amount and a window, divided by a slash.
func parseRate(text string, amount func(string) (int64, bool)) (Rate, bool) {
	much, window, ok := strings.Cut(text, "/")
	n, good := amount(much)
	per, alsoGood := parseWindow(window)
	if !ok || !good || !alsoGood {
		return Rate{}, false
	}
	return Rate{Amount: n, Per: per}, true
}
