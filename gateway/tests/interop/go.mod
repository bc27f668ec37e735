module raffinate/interop

go 1.24.0

require (
	github.com/in-toto/attestation v1.1.2
	github.com/secure-systems-lab/go-securesystemslib v0.10.0
	golang.org/x/mod v0.33.0
	google.golang.org/protobuf v1.36.6
)

require (
	golang.org/x/crypto v0.46.0 // indirect
	golang.org/x/sys v0.39.0 // indirect
)
