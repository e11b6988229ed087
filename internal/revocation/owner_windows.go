package revocation

// CheckOwner says nothing here: the access list of the folder decides who reads
// a file in it.
func CheckOwner(string) error { return nil }
