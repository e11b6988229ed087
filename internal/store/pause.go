package store

import "time"

// The pause after one login that failed, and after many.
const (
	firstPause = time.Minute
	lastPause  = time.Hour
)

// A Pause keeps gimme from asking by itself after a login that failed.
type Pause struct {
	Until    time.Time // zero: no pause
	Failures int       // in a row, with one that is under way
}

// pauseData is a Pause as it stands in the file.
type pauseData struct {
	At       time.Time `json:"at"` // when the attempt began
	Until    time.Time `json:"until"`
	Failures int       `json:"failures"`
}

// Pause returns the one of key. It may have ended: Until says so. One that
// began in the future, because the clock was set back, counts as over.
func (s *Store) Pause(key string) (Pause, error) {
	d, err := read[pauseData](s, pausesRoom, key)
	if err != nil || d == nil {
		return Pause{}, err
	}
	now := time.Now()
	if d.At.After(now) || d.Until.After(now.Add(lastPause)) {
		return Pause{Failures: d.Failures}, nil
	}
	return Pause{Until: d.Until, Failures: d.Failures}, nil
}

// BeginAttempt counts a login as failed before it begins, so that one which is
// killed does count. The pause is a minute, and doubles up to an hour.
func (s *Store) BeginAttempt(key string, now time.Time) error {
	d, err := read[pauseData](s, pausesRoom, key)
	if err != nil {
		return err
	}
	failures := 1
	if d != nil && d.Failures > 0 {
		failures = min(d.Failures, 1000) + 1
	}
	pause := lastPause
	if failures <= 6 {
		pause = firstPause << (failures - 1)
	}
	return write(s, pausesRoom, key, pauseData{At: now, Until: now.Add(pause), Failures: failures})
}

// EndAttempt says that the login worked: there is no pause, and no failure.
func (s *Store) EndAttempt(key string) error { return s.drop(pausesRoom, key) }
