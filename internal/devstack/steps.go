package devstack

import (
	"context"
	"fmt"
)

const (
	aliceProfile = "sidecar"
	bobProfile   = "bob"

	customersKey = "customers/" + sampleFile
	historyKey   = "customers/history.bin"
	partSize     = 8 << 20 // bytes; as aws divides files
)

// steps is the story. What aws prints is told as aws prints it.
func (t *story) steps() []step {
	login := "gimme s3 --address " + t.url + " --profile "
	object := "s3://" + lake + "/" + customersKey
	return []step{
		{
			"Alice logs in. She is a data engineer.",
			login + aliceProfile + " --login-hint " + t.alice.Email,
			func(ctx context.Context) (string, error) { return t.logIn(ctx, t.alice, aliceProfile) },
		}, {
			"",
			"cat ~/.aws/config",
			func(ctx context.Context) (string, error) { return t.showProfile(ctx, aliceProfile) },
		}, {
			"She works with customer data, with the tools she has always used.",
			"aws s3 cp " + sampleFile + " s3://" + lake + "/customers/ --profile " + aliceProfile,
			t.upload,
		}, {
			"",
			"aws s3 cp history.bin s3://" + lake + "/customers/ --profile " + aliceProfile,
			t.uploadInParts,
		}, {
			"",
			"aws s3 ls s3://" + lake + "/customers/ --profile " + aliceProfile,
			t.list,
		}, {
			"",
			"aws s3 cp " + object + " copy.csv --profile " + aliceProfile,
			t.download,
		}, {
			"",
			"cmp " + sampleFile + " copy.csv",
			t.compare,
		}, {
			"She may not delete it, and is told why.",
			"aws s3 rm " + object + " --profile " + aliceProfile,
			t.remove,
		}, {
			"Bob logs in. He is in no group.",
			login + bobProfile + " --login-hint " + t.bob.Email,
			func(ctx context.Context) (string, error) { return t.logIn(ctx, t.bob, bobProfile) },
		}, {
			"",
			"aws s3 cp s3://" + lake + "/public/holidays.csv - --profile " + bobProfile,
			t.readPublic,
		}, {
			"",
			fmt.Sprintf("aws s3api get-object --bucket %s --key %s copy.csv --profile %s", lake, customersKey, bobProfile),
			t.readSensitive,
		}, {
			"All of this is on record.",
			"cat " + auditFile,
			t.record,
		},
	}
}
