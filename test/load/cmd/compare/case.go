package main

import (
	"github.com/gimme-broker/gimme/test/load"
	"github.com/gimme-broker/gimme/test/load/rig"
)

// A scene is an upstream, plain or with TLS in front of the ways to it, and
// the cases that are run there.
type scene struct {
	upstream string
	secure   bool
	ways     []string
	cases    []measure
}

// A measure is an operation under a number of connections.
type measure struct {
	name        string
	connections []int
	brief       []int // connections with -short
	operations  func(*workload) []load.Operation
	stretch     int // how much longer than others it takes
}

// The names of ways.
const (
	straight  = "straight"
	nginx     = "nginx"
	goProxy   = "go"
	gimme     = "gimme"
	versitygw = "versitygw-s3"
	rclone    = "rclone"
)

// The names of operations, by which budgets speak of them.
const (
	getSmall   = "GET 4 KiB"
	headSmall  = "HEAD"
	getMedium  = "GET 1 MiB"
	getLarge   = "GET 64 MiB"
	list       = "LIST 1,000"
	putHashed  = "PUT 64 MiB hashed"
	putPlain   = "PUT 64 MiB unsigned"
	putCRC32   = "PUT 64 MiB CRC32"
	putCRC64   = "PUT 64 MiB CRC64NVME"
	mixedReads = "mixed"
)

// The names of upstreams.
const (
	files = "nginx"
	sink  = "sink"
	store = "versitygw"
)

var (
	floors = []string{straight, nginx, goProxy, gimme}
	peers  = []string{straight, nginx, goProxy, gimme, versitygw, rclone}
)

// A workload has what the operations need.
type workload struct {
	rig                         *rig.Rig
	hashed, plain, crc32, crc64 *load.Body
	medium                      *load.Body
}

func newWorkload(r *rig.Rig) (*workload, error) {
	data := rig.Noise(rig.Large, 7)
	w := &workload{rig: r, hashed: load.Hashed(data), plain: load.Unsigned(data), medium: load.Hashed(data[:rig.Medium])}
	var err error
	if w.crc32, err = load.Trailer(data, "x-amz-checksum-crc32"); err != nil {
		return nil, err
	}
	w.crc64, err = load.Trailer(data, "x-amz-checksum-crc64nvme")
	return w, err
}

func gets(size int) func(*workload) []load.Operation {
	return func(w *workload) []load.Operation { return w.rig.Gets(size) }
}

func heads(w *workload) []load.Operation { return w.rig.Heads(rig.Small) }
func lists(w *workload) []load.Operation { return w.rig.Lists() }

func puts(body func(*workload) *load.Body) func(*workload) []load.Operation {
	return func(w *workload) []load.Operation { return w.rig.Puts(body(w)) }
}

// mixed is mostly small reads, as of a query engine, with some of the others.
func mixed(w *workload) []load.Operation {
	small, medium, head := w.rig.Gets(rig.Small), w.rig.Gets(rig.Medium), w.rig.Heads(rig.Small)
	put := w.rig.Puts(w.medium)
	var all []load.Operation
	for i := range 4 {
		all = append(all, small[i*12:i*12+12]...)
		all = append(all, head[i*5:i*5+5]...)
		all = append(all, medium[i*2:i*2+2]...)
		all = append(all, put[i])
	}
	return append(all, w.rig.Lists()...)
}

// scenes is everything that is compared.
func scenes() []scene {
	return []scene{
		{files, false, peers, []measure{
			{name: getSmall, connections: []int{1, 8, 64, 256}, brief: []int{1, 64}, operations: gets(rig.Small)},
			{name: headSmall, connections: []int{1, 64}, brief: []int{64}, operations: heads},
			{name: getMedium, connections: []int{8}, operations: gets(rig.Medium)},
			{name: getLarge, connections: []int{1, 4}, brief: []int{4}, operations: gets(rig.Large), stretch: 2},
			{name: list, connections: []int{8}, operations: lists, stretch: 2},
		}},
		{files, true, peers, []measure{
			{name: getSmall, connections: []int{64}, brief: []int{64}, operations: gets(rig.Small)},
			{name: getLarge, connections: []int{4}, operations: gets(rig.Large), stretch: 2},
		}},
		{sink, false, floors, []measure{
			{name: putHashed, connections: []int{1, 4}, brief: []int{4}, operations: puts(func(w *workload) *load.Body { return w.hashed }), stretch: 2},
			{name: putPlain, connections: []int{4}, operations: puts(func(w *workload) *load.Body { return w.plain }), stretch: 2},
			{name: putCRC32, connections: []int{4}, brief: []int{4}, operations: puts(func(w *workload) *load.Body { return w.crc32 }), stretch: 2},
			{name: putCRC64, connections: []int{4}, brief: []int{4}, operations: puts(func(w *workload) *load.Body { return w.crc64 }), stretch: 2},
		}},
		{sink, true, []string{nginx, goProxy, gimme}, []measure{
			{name: putHashed, connections: []int{4}, operations: puts(func(w *workload) *load.Body { return w.hashed }), stretch: 2},
			{name: putCRC64, connections: []int{4}, operations: puts(func(w *workload) *load.Body { return w.crc64 }), stretch: 2},
		}},
		{store, false, peers, []measure{
			{name: getSmall, connections: []int{64}, operations: gets(rig.Small)},
			{name: list, connections: []int{8}, operations: lists, stretch: 2},
			{name: getLarge, connections: []int{4}, operations: gets(rig.Large), stretch: 2},
			{name: putHashed, connections: []int{2}, operations: puts(func(w *workload) *load.Body { return w.hashed }), stretch: 2},
			{name: mixedReads, connections: []int{32}, operations: mixed, stretch: 2},
		}},
	}
}
