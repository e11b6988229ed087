package report

// CSS is the page's style.
func CSS() string { return pageCSS }
