package devstack

import (
	"crypto/rand"

	"github.com/gimme-broker/gimme/internal/secret"
)

// A Person can log in at the Provider.
type Person struct {
	Subject  string
	Email    string
	Name     string
	Groups   []string
	Password secret.Text // made when the stack starts
}

// people are the two of the story: one who may work with customer data, and
// one who may not.
func people() (alice, bob Person) {
	alice = Person{Subject: "u-alice", Email: "alice@example.com", Name: "Alice Ahn", Groups: []string{"data-engineering"}}
	bob = Person{Subject: "u-bob", Email: "bob@example.com", Name: "Bob Berg"}
	alice.Password, bob.Password = newPassword(), newPassword()
	return alice, bob
}

// newPassword makes a password of 80 bits that can be typed: sixteen capital
// letters and digits, in groups of four.
func newPassword() secret.Text {
	t := rand.Text()
	return secret.New(t[0:4] + "-" + t[4:8] + "-" + t[8:12] + "-" + t[12:16])
}
