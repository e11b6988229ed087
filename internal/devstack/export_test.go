package devstack

// LogIn is logIn, for tests.
var LogIn = logIn
