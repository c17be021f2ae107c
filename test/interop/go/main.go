// in-toto-golang behind one long-lived process: a request per line in, an answer per line out, both JSON.
// Called by ../peer.ts only. It must never judge anything itself: each operation hands its arguments to the library as that
// library's own commands do, and says what came back.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	intoto "github.com/in-toto/in-toto-golang/in_toto"
	"github.com/secure-systems-lab/go-securesystemslib/cjson"
)

type request struct {
	Op         string
	Dir        string
	Layout     string
	Keys       []string
	Links      string
	Substitute map[string]string
	Values     []any
	Pem        string
	Path       string
	Payload    json.RawMessage
	Format     string
	Name       string
	Key        string
	Materials  []string
	Products   []string
	Command    []string
}

type answer map[string]any

func publicKey(path string) (intoto.Key, error) {
	var key intoto.Key
	err := key.LoadKeyDefaults(path)
	return key, err
}

// A verdict as `in-toto verify` reaches it; the working directory is the one that inspections see.
func verify(r request) (answer, error) {
	home, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	if err := os.Chdir(r.Dir); err != nil {
		return nil, err
	}
	defer os.Chdir(home)
	layout, err := intoto.LoadMetadata(r.Layout)
	if err != nil {
		return nil, err
	}
	keys := map[string]intoto.Key{}
	for _, path := range r.Keys {
		key, err := publicKey(path)
		if err != nil {
			return nil, err
		}
		keys[key.KeyID] = key
	}
	if r.Substitute == nil {
		r.Substitute = map[string]string{}
	}
	_, err = intoto.InTotoVerify(layout, keys, r.Links, "", r.Substitute, nil, false)
	return answer{}, err
}

// Whether a file of metadata can be read at all.
func load(r request) (answer, error) {
	_, err := intoto.LoadMetadata(r.Path)
	return answer{}, err
}

// The canonical JSON of each value, as hex of its UTF-8.
func canonical(r request) (answer, error) {
	out := make([]string, len(r.Values))
	for i, value := range r.Values {
		encoded, err := cjson.EncodeCanonical(value)
		if err != nil {
			return nil, err
		}
		out[i] = hex.EncodeToString(encoded)
	}
	return answer{"hex": out}, nil
}

// Key id and scheme of a public key.
func keyid(r request) (answer, error) {
	var key intoto.Key
	if err := key.LoadKeyReaderDefaults(strings.NewReader(r.Pem)); err != nil {
		return nil, err
	}
	return answer{"keyid": key.KeyID, "scheme": key.Scheme}, nil
}

// The key object as in-toto-golang writes it into a layout.
func key(r request) (answer, error) {
	key, err := publicKey(r.Path)
	return answer{"key": key}, err
}

// Puts a link or layout into an envelope, signs it with each private key, writes it.
func sign(r request) (answer, error) {
	var head struct {
		Type string `json:"_type"`
	}
	if err := json.Unmarshal(r.Payload, &head); err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(r.Payload))
	decoder.DisallowUnknownFields()
	var payload any
	if head.Type == "layout" {
		var layout intoto.Layout
		if err := decoder.Decode(&layout); err != nil {
			return nil, err
		}
		payload = layout
	} else {
		var link intoto.Link
		if err := decoder.Decode(&link); err != nil {
			return nil, err
		}
		payload = link
	}
	var metadata intoto.Metadata = &intoto.Metablock{Signed: payload, Signatures: []intoto.Signature{}}
	if r.Format == "dsse" {
		envelope := &intoto.Envelope{}
		if err := envelope.SetPayload(payload); err != nil {
			return nil, err
		}
		metadata = envelope
	}
	for _, path := range r.Keys {
		private, err := publicKey(path)
		if err != nil {
			return nil, err
		}
		if err := metadata.Sign(private); err != nil {
			return nil, err
		}
	}
	return answer{}, metadata.Dump(r.Path)
}

// A step carried out and recorded as `in-toto run` does it; the link is written to the folder.
func record(r request) (answer, error) {
	home, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	if err := os.Chdir(r.Dir); err != nil {
		return nil, err
	}
	defer os.Chdir(home)
	private, err := publicKey(r.Key)
	if err != nil {
		return nil, err
	}
	link, err := intoto.InTotoRun(r.Name, "", r.Materials, r.Products, r.Command, private, []string{"sha256"}, nil, nil, false, false, r.Format == "dsse")
	if err != nil {
		return nil, err
	}
	file := fmt.Sprintf(intoto.LinkNameFormat, r.Name, private.KeyID)
	return answer{"file": file}, link.Dump(filepath.Join(r.Dir, file))
}

var operations = map[string]func(request) (answer, error){
	"verify": verify, "load": load, "canonical": canonical, "keyid": keyid, "key": key, "sign": sign, "record": record,
}

// The library panics on some metadata; its own command would end with a trace, so a panic is a "no" with a name.
func run(r request) (result answer) {
	defer func() {
		if p := recover(); p != nil {
			result = answer{"ok": false, "kind": "panic", "message": fmt.Sprint(p)}
		}
	}()
	operation, known := operations[r.Op]
	if !known {
		return answer{"ok": false, "kind": "driver", "message": "unknown operation " + r.Op}
	}
	found, err := operation(r)
	if err != nil {
		return answer{"ok": false, "kind": "error", "message": err.Error()}
	}
	found["ok"] = true
	return found
}

func main() {
	// What the library prints must not mix with the answers.
	answers := json.NewEncoder(os.Stdout)
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stdout = null
	}
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var r request
		if err := json.Unmarshal(line, &r); err != nil {
			answers.Encode(answer{"ok": false, "kind": "driver", "message": err.Error()})
			continue
		}
		answers.Encode(run(r))
	}
}
