package audit

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// An encoder writes JSON as encoding/json would, but for the escapes of
// appendQuoted. A method with opt in its name leaves out what is empty. Whatever is
// written ends in a comma, which goes when that ends which it is in.
type encoder struct {
	buf []byte
	err error // why there is no JSON for a value; nil if there is
}

// begin begins an object or a list, and end ends it.
func (c *encoder) begin(bracket byte) { c.buf = append(c.buf, bracket) }

func (c *encoder) end(bracket byte) {
	if last := len(c.buf) - 1; c.buf[last] == ',' {
		c.buf = c.buf[:last]
	}
	c.buf = append(c.buf, bracket, ',')
}

// open begins one that is a member.
func (c *encoder) open(name string, bracket byte) {
	c.name(name)
	c.begin(bracket)
}

func (c *encoder) name(name string) {
	c.buf = append(c.buf, '"')
	c.buf = append(c.buf, name...)
	c.buf = append(c.buf, `":`...)
}

func (c *encoder) text(name, s string) {
	c.name(name)
	c.buf = append(appendQuoted(c.buf, s), ',')
}

func (c *encoder) optText(name, s string) {
	if s != "" {
		c.text(name, s)
	}
}

func (c *encoder) texts(name string, list []string) {
	if list == nil {
		c.name(name)
		c.buf = append(c.buf, `null,`...)
		return
	}
	c.open(name, '[')
	for _, s := range list {
		c.buf = append(appendQuoted(c.buf, s), ',')
	}
	c.end(']')
}

func (c *encoder) optTexts(name string, list []string) {
	if len(list) > 0 {
		c.texts(name, list)
	}
}

func (c *encoder) number(name string, n int64) {
	c.name(name)
	c.buf = append(strconv.AppendInt(c.buf, n, 10), ',')
}

func (c *encoder) optNumber(name string, n int64) {
	if n != 0 {
		c.number(name, n)
	}
}

func (c *encoder) optFlag(name string, on bool) {
	if on {
		c.name(name)
		c.buf = append(c.buf, `true,`...)
	}
}

func (c *encoder) moment(name string, t time.Time) {
	c.name(name)
	c.buf = append(c.buf, '"')
	var err error
	if c.buf, err = t.AppendText(c.buf); err != nil {
		c.err = fmt.Errorf("%s: %w", name, err)
	}
	c.buf = append(c.buf, `",`...)
}

func (c *encoder) optMoment(name string, t time.Time) {
	if !t.IsZero() {
		c.moment(name, t)
	}
}

// float writes a number as ECMAScript does, which is how encoding/json does.
func (c *encoder) float(name string, f float64) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		c.err = fmt.Errorf("%s: %v is no number of JSON", name, f)
		return
	}
	c.name(name)
	format := byte('f')
	if size := math.Abs(f); size != 0 && (size < 1e-6 || size >= 1e21) {
		format = 'e'
	}
	c.buf = strconv.AppendFloat(c.buf, f, format, -1, 64)
	if n := len(c.buf); format == 'e' && string(c.buf[n-4:n-1]) == "e-0" { // e-9, not e-09
		c.buf = append(c.buf[:n-2], c.buf[n-1])
	}
	c.buf = append(c.buf, ',')
}
