package cli

import "os"

func handedOn() []os.Signal { return []os.Signal{os.Interrupt} }

func codeOf(s *os.ProcessState) int { return s.ExitCode() }
