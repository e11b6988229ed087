package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// TestTerraform: what is printed as Terraform is formatted, parses, and gives the
// same policies as JSON when it is evaluated, for each form of configuration.
func TestTerraform(t *testing.T) {
	for credentials, args := range map[string][]string{
		"assume_role":  {"--sidecar-arn", iamSidecar, "--sub", "u1"},
		"web_identity": {"--sub", "${u}%{1}", "--source-ip", "203.0.113.0/24", "--source-vpce", "vpce-0123456789abcdef0"},
	} {
		t.Run(credentials, func(t *testing.T) {
			folder := iamFolder(t, credentials)
			args := append(args, "--role", iamWriter, "--admin-arn", iamAdmin)
			text := iam(t, folder, append(args, "--format", "terraform")...).out
			if formatted := string(hclwrite.Format([]byte(text))); formatted != text {
				t.Errorf("it is not formatted:\n%s", formatted)
			}
			var out iamOutput
			decode(t, iam(t, folder, args...).out, &out)
			want := map[string]json.RawMessage{"aws_iam_policy.lake-writer_1": out.Permissions[0]}
			if out.Trust != nil {
				want["aws_iam_role.lake-writer"] = out.Trust
				want["aws_iam_role.lake-writer-direct"] = out.TrustWebIdentity
			} else {
				want["aws_iam_role.lake-writer"] = out.TrustWebIdentity
			}
			for bucket, p := range out.BucketPolicies {
				want["aws_s3_bucket_policy."+bucket] = p
			}
			have := evaluated(t, text)
			if len(have) != len(want) {
				t.Errorf("%d policies, want %d", len(have), len(want))
			}
			for name, p := range want {
				if !sameJSON(t, have[name], string(p)) {
					t.Errorf("%s is %s, want %s", name, have[name], p)
				}
			}
			checkWithTerraform(t, text)
		})
	}
}

// evaluated are the policies of the resources, by type and name.
func evaluated(t *testing.T, text string) map[string]string {
	t.Helper()
	file, diagnostics := hclsyntax.ParseConfig([]byte(text), "iam.tf", hcl.InitialPos)
	if diagnostics.HasErrors() {
		t.Fatal(diagnostics)
	}
	context := &hcl.EvalContext{Functions: map[string]function.Function{"jsonencode": stdlib.JSONEncodeFunc}}
	all := map[string]string{}
	for _, b := range file.Body.(*hclsyntax.Body).Blocks {
		if b.Type != "resource" || len(b.Labels) != 2 {
			t.Errorf("a block %s %q", b.Type, b.Labels)
		}
		for name, a := range b.Body.Attributes {
			if name != "policy" && name != "assume_role_policy" {
				continue
			}
			v, diagnostics := a.Expr.Value(context)
			if diagnostics.HasErrors() {
				t.Fatal(diagnostics)
			}
			all[strings.Join(b.Labels, ".")] = v.AsString()
		}
	}
	return all
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var v, w any
	if a == "" {
		return false
	}
	decode(t, a, &v)
	decode(t, b, &w)
	return reflect.DeepEqual(v, w)
}

// checkWithTerraform asks terraform or tofu, where one is on the machine, for its
// own word on the format; and on the resources, where GIMME_TERRAFORM_PLUGINS names
// a folder with the provider for AWS, as terraform init -plugin-dir takes it.
func checkWithTerraform(t *testing.T, text string) {
	t.Helper()
	program, err := exec.LookPath("terraform")
	if err != nil {
		program, err = exec.LookPath("tofu")
	}
	if err != nil {
		t.Log("neither terraform nor tofu is on this machine: the library behind terraform fmt has judged the format")
		return
	}
	folder := t.TempDir()
	writeFile(t, filepath.Join(folder, "iam.tf"), text)
	writeFile(t, filepath.Join(folder, "cli.tfrc"), "")
	env := environment(folder, "TF_CLI_CONFIG_FILE="+filepath.Join(folder, "cli.tfrc"), "CHECKPOINT_DISABLE=1")
	finish(t, command{path: program, args: []string{"fmt", "-check", "-diff"}, env: env, dir: folder}).must(t)
	plugins := os.Getenv("GIMME_TERRAFORM_PLUGINS")
	if plugins == "" {
		t.Log("GIMME_TERRAFORM_PLUGINS is not set: nothing was asked of the provider")
		return
	}
	finish(t, command{path: program, args: []string{"init", "-backend=false", "-plugin-dir=" + plugins}, env: env, dir: folder}).must(t)
	finish(t, command{path: program, args: []string{"validate", "-no-color"}, env: env, dir: folder}).must(t)
}
