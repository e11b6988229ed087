package workload

import "net/http"

// Placed returns o with another place for the projected token, and another
// client for the metadata service.
func Placed(o Options, projected string, direct *http.Client) Options {
	o.projected, o.direct = projected, direct
	return o
}

// MaxToken is the longest token that is taken.
const MaxToken = maxToken
