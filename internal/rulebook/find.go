package rulebook

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/gimme-broker/gimme/pkg/policy"
	"github.com/gimme-broker/gimme/pkg/strictyaml"
)

// A file is one that was read, and what it turned out to be.
type file struct {
	policy.Source
	root *yaml.Node // nil when it is no YAML
}

// A finder gathers files by what they are, each once, and what is wrong with
// them.
type finder struct {
	dataMap         *file
	policies, tests []*file
	config          *Config
	found           strictyaml.Faults
	seen            map[string]bool // real paths
}

func newFinder() *finder { return &finder{seen: map[string]bool{}} }

func (f *finder) fault(name, format string, args ...any) {
	f.found = append(f.found, strictyaml.Fault{File: name, Text: fmt.Sprintf(format, args...)})
}

// path takes a file or folder that somebody named.
func (f *finder) path(path string) {
	names, err := filesIn(path)
	if err != nil {
		f.fault(path, "%v", reason(err))
		return
	}
	for _, name := range names {
		if from := f.open(name); from != nil {
			f.sort(from, len(names) > 1)
		}
	}
}

// sort puts a file where it belongs.
func (f *finder) sort(from *file, inFolder bool) {
	switch shapeOf(from.root) {
	case isDataMap:
		if f.dataMap != nil {
			f.fault(from.Name, "this is a data map, and so is %q; name one of them, and what else is meant", f.dataMap.Name)
			return
		}
		f.dataMap = from
	case isPolicy:
		f.policies = append(f.policies, from)
	case isTests:
		f.tests = append(f.tests, from)
	case isConfig:
		f.takeConfig(from)
	default:
		out := "take it out of the list"
		if inFolder {
			out = "move it to another folder, or name the files instead of the folder"
		}
		f.fault(from.Name, "this is neither a data map (labels, each with a list of repo and attributes), nor a policy (name, data, rules), nor tests (tests), nor a sidecar's configuration (policy.data_map); %s", out)
	}
}

func (f *finder) takeConfig(from *file) {
	if f.config != nil {
		f.fault(from.Name, "this is a sidecar's configuration, and so is %q; name one of them", f.config.File)
		return
	}
	var faults strictyaml.Faults
	f.config, faults = readConfig(from)
	f.found = append(f.found, faults...)
}

// configuration takes the file that --config names.
func (f *finder) configuration(path string) {
	from := f.open(path)
	switch {
	case from == nil: // it was among the paths, or cannot be read
	case shapeOf(from.root) != isConfig:
		f.fault(path, "this is no sidecar's configuration: it has no policy.data_map")
	default:
		f.takeConfig(from)
	}
}

// complete takes from the configuration what the paths have none of.
func (f *finder) complete(paths []string) {
	noMap, noPolicies := f.dataMap == nil, len(f.policies) == 0
	if f.config != nil {
		f.named(f.config, noMap, noPolicies)
		return
	}
	if len(f.found) > 0 {
		return // the one that is missing may be the one that cannot be read
	}
	where := "in " + quoted(paths)
	if len(paths) == 0 {
		f.fault(".", "no file is named; name the folder or the files with the data map and the policies, or a sidecar's configuration with --config FILE")
		return
	}
	if noMap {
		f.fault(paths[0], "no data map is %s; name its file too, or a sidecar's configuration with --config FILE", where)
	}
	if noPolicies {
		f.fault(paths[0], "no policy is %s; name the files or the folder with the policies too, or a sidecar's configuration with --config FILE", where)
	}
}

// named takes the data map and the policies that a configuration names. They are
// what it says they are; only tests that stand beside policies are told apart.
func (f *finder) named(c *Config, dataMap, policies bool) {
	_, _ = f.first(c.File) // it may lie among its policies
	if dataMap && c.DataMap.V != "" {
		f.dataMap = f.openAt(c, c.DataMap, c.path(c.DataMap.V))
	}
	if !policies {
		return
	}
	for _, v := range c.Policies {
		names, err := filesIn(c.path(v.V))
		if err != nil {
			f.found = append(f.found, v.Fault(c.File, "%v", err))
		}
		for _, name := range names {
			switch from := f.openAt(c, v, name); {
			case from == nil:
			case shapeOf(from.root) == isTests:
				f.tests = append(f.tests, from)
			default:
				f.policies = append(f.policies, from)
			}
		}
	}
}

// first says whether a file was not met before, by this name or another.
func (f *finder) first(name string) (bool, error) {
	real, err := filepath.EvalSymlinks(name)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil || f.seen[real] {
		return false, err
	}
	f.seen[real] = true
	return true, nil
}

// open reads a file that was not read before, and returns nil if it was, or if it
// cannot be read.
func (f *finder) open(name string) *file {
	first, err := f.first(name)
	if err != nil {
		f.fault(name, "%v", reason(err))
		return nil
	}
	if !first {
		return nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		f.fault(name, "%v", reason(err))
		return nil
	}
	from := &file{Source: policy.Source{Name: name, Data: data}}
	var n yaml.Node
	if err := strictyaml.Decode(name, data, &n); err != nil && n.Kind == 0 {
		f.found = append(f.found, asFaults(err)...)
		return nil
	}
	if n.Kind == yaml.DocumentNode && len(n.Content) == 1 {
		from.root = n.Content[0]
	}
	return from
}

// openAt is open for a file that a configuration names at v.
func (f *finder) openAt(c *Config, v strictyaml.Value[string], name string) *file {
	if _, err := os.Stat(name); err != nil {
		f.found = append(f.found, v.Fault(c.File, "%v", err))
		return nil
	}
	return f.open(name)
}

// reason is err without the name of the file, which stands before it.
func reason(err error) error {
	if e, ok := err.(*fs.PathError); ok {
		return e.Err
	}
	return err
}

// filesIn is path itself, or the YAML files in it and in its folders when it is a
// folder, in the order of their names. What is hidden is passed over: mounted
// configuration keeps its versions there.
func filesIn(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == path:
			return nil
		case strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
			return nil
		case e.Type()&fs.ModeSymlink != 0:
			// A policy that is passed over would narrow nothing any more.
			if to, err := os.Stat(name); err == nil && to.IsDir() {
				return fmt.Errorf("%q is a link to a folder and is not followed; name what it leads to", name)
			}
		}
		if ext := filepath.Ext(name); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
			files = append(files, name)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("folder %q holds no *.yaml file", path)
	}
	slices.Sort(files)
	return files, err
}
