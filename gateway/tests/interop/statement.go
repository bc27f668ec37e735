package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"os"

	attestation "github.com/in-toto/attestation/go/v1"
	"github.com/secure-systems-lab/go-securesystemslib/dsse"
	"github.com/secure-systems-lab/go-securesystemslib/signerverifier"
	"google.golang.org/protobuf/encoding/protojson"
)

// checkStatements verifies each line's envelope by the key, and reads its in-toto statement.
func checkStatements(keyPath string, input io.Reader) error {
	verifier, err := loadKey(keyPath)
	if err != nil {
		return err
	}
	lines := bufio.NewScanner(input)
	for lines.Scan() {
		var envelope dsse.Envelope
		if err := json.Unmarshal(lines.Bytes(), &envelope); err != nil {
			return err
		}
		if _, err := verifier.Verify(context.Background(), &envelope); err != nil {
			return err
		}
		payload, err := envelope.DecodeB64Payload()
		if err != nil {
			return err
		}
		var statement attestation.Statement
		if err := protojson.Unmarshal(payload, &statement); err != nil {
			return err
		}
		if err := statement.Validate(); err != nil {
			return err
		}
		seq := statement.GetPredicate().GetFields()["seq"].GetNumberValue()
		fmt.Printf("%s %s %.0f\n", envelope.PayloadType, statement.GetPredicateType(), seq)
	}
	return lines.Err()
}

// loadKey makes a verifier that wants our key id: SHA-256 of the SPKI.
func loadKey(path string) (*dsse.EnvelopeVerifier, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, err := signerverifier.LoadKey(text)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	digest := sha256.Sum256(block.Bytes)
	key.KeyID = hex.EncodeToString(digest[:])
	verifier, err := signerverifier.NewECDSASignerVerifierFromSSLibKey(key)
	if err != nil {
		return nil, err
	}
	return dsse.NewEnvelopeVerifier(verifier)
}
