package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// verifier is a key of a type that x/mod has not; C2SP signed-note and tlog-cosignature say how.
type verifier struct {
	name   string
	hash   uint32
	verify func(text, signature []byte) bool
}

func (v verifier) Name() string                 { return v.name }
func (v verifier) KeyHash() uint32              { return v.hash }
func (v verifier) Verify(text, sig []byte) bool { return v.verify(text, sig) }

// newVerifier reads `name+hex8+base64(type || key)`: x/mod's own 01, and 02 and 04.
func newVerifier(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("malformed verifier key %q", vkey)
	}
	data, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(data) < 2 {
		return nil, fmt.Errorf("malformed verifier key %q", vkey)
	}
	name, key := parts[0], data[1:]
	made := verifier{name: name}
	switch data[0] {
	case 1:
		return note.NewVerifier(vkey)
	case 2:
		spki, err := x509.ParsePKIXPublicKey(key)
		public, ok := spki.(*ecdsa.PublicKey)
		if err != nil || !ok {
			return nil, fmt.Errorf("%s: no ECDSA key: %v", name, err)
		}
		digest := sha256.Sum256(key)
		made.hash = binary.BigEndian.Uint32(digest[:])
		made.verify = func(text, sig []byte) bool {
			digest := sha256.Sum256(text)
			return ecdsa.VerifyASN1(public, digest[:], sig)
		}
	case 4:
		digest := sha256.Sum256([]byte(name + "\n" + string(data)))
		made.hash = binary.BigEndian.Uint32(digest[:])
		made.verify = func(text, sig []byte) bool {
			if len(key) != ed25519.PublicKeySize || len(sig) != 8+ed25519.SignatureSize {
				return false
			}
			message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), text)
			return ed25519.Verify(key, []byte(message), sig[8:])
		}
	default:
		return nil, fmt.Errorf("%s: unknown key type %d", name, data[0])
	}
	if parts[1] != fmt.Sprintf("%08x", made.hash) {
		return nil, fmt.Errorf("%s: the key id is not that of the key", name)
	}
	return made, nil
}
