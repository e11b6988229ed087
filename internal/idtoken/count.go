package idtoken

import "context"

// CountKeys fetches the keys of the provider, unless they are there, and says
// how many can verify ID tokens. Errors are *Error with code Communication.
func (p *Provider) CountKeys(ctx context.Context) (int, error) {
	keys, err := p.keys.current(ctx, func(keys []key) bool { return len(keys) > 0 })
	if err != nil {
		return 0, err
	}
	if len(keys) == 0 {
		return 0, fault(Communication, "issuer %s has no key that can verify ID tokens", p.metadata.Issuer)
	}
	return len(keys), nil
}
