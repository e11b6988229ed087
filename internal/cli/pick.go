package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// pick lets the person choose one of several roles at the terminal.
func pick(ctx context.Context, t *terminal, roles []string) (string, error) {
	fmt.Fprintf(t, "You may take several roles:\n\n")
	for i, r := range roles {
		fmt.Fprintf(t, "  %2d  %s\n", i+1, printable(r))
	}
	fmt.Fprintln(t)
	for {
		fmt.Fprintf(t, "Which one? Its number or part of its name; Enter takes 1, q leaves: ")
		line, err := t.lines(ctx)
		if err != nil {
			fmt.Fprintln(t)
			return "", cmp.Or(ctx.Err(), errors.New("several roles can be taken, and none was chosen"))
		}
		role, why := choice(roles, strings.TrimSpace(line))
		switch {
		case why == leave:
			return "", context.Canceled
		case why != "":
			fmt.Fprintln(t, why)
		default:
			return role, nil
		}
	}
}

const leave = "leave"

// choice is the role that an answer means, or why it means none.
func choice(roles []string, answer string) (role, why string) {
	if answer == "" {
		return roles[0], ""
	}
	if n, err := strconv.Atoi(answer); err == nil {
		if n < 1 || n > len(roles) {
			return "", fmt.Sprintf("There is no number %d.", n)
		}
		return roles[n-1], ""
	}
	if answer == "q" {
		return "", leave
	}
	var fit []string
	for _, r := range roles {
		if r == answer || strings.HasSuffix(r, "/"+answer) {
			return r, ""
		}
		if strings.Contains(strings.ToLower(r), strings.ToLower(answer)) {
			fit = append(fit, r)
		}
	}
	switch len(fit) {
	case 1:
		return fit[0], ""
	case 0:
		return "", "No role is called so."
	}
	return "", fmt.Sprintf("%d roles are called so.", len(fit))
}
