package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

// folder is a published log as sumdb's tile reader wants it, without the height in the paths.
type folder struct {
	root  string
	tiles map[tlog.Tile][]byte
	known map[int64]tlog.Hash
}

func (f *folder) Height() int                     { return height }
func (f *folder) SaveTiles([]tlog.Tile, [][]byte) {}

func (f *folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(tiles))
	for i, tile := range tiles {
		if f.tiles[tile] == nil {
			path := "tile/" + strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height))
			data, err := os.ReadFile(filepath.Join(f.root, path))
			if err != nil {
				return nil, err
			}
			if len(data) != tile.W*tlog.HashSize {
				return nil, fmt.Errorf("%s has %d bytes", path, len(data))
			}
			f.tiles[tile] = data
		}
		found[i] = f.tiles[tile]
	}
	return found, nil
}

// hashes reads stored hashes of a tree of n, unchecked: CheckRecord holds them against the root.
func (f *folder) hashes(n int64) tlog.HashReaderFunc {
	return func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			hash, known := f.known[index]
			if known {
				found[i] = hash
				continue
			}
			tile := tlog.TileForIndex(height, index)
			tile.W = int(min(n>>(height*tile.L)-tile.N<<height, 1<<height))
			data, err := f.ReadTiles([]tlog.Tile{tile})
			if err != nil {
				return nil, err
			}
			if found[i], err = tlog.HashFromTile(tile, data[0], index); err != nil {
				return nil, err
			}
			f.known[index] = found[i]
		}
		return found, nil
	}
}

func checkLog(root string, vkeys []string) error {
	text, err := openCheckpoint(filepath.Join(root, "checkpoint"), vkeys)
	if err != nil {
		return err
	}
	// ParseTree knows only sum.golang.org's first line; the rest is the same text.
	_, rest, _ := strings.Cut(text, "\n")
	tree, err := tlog.ParseTree([]byte("go.sum database tree\n" + rest))
	if err != nil {
		return err
	}
	files := &folder{root, map[tlog.Tile][]byte{}, map[int64]tlog.Hash{}}
	for first := int64(0); first < tree.N; first += 1 << height {
		if err := checkBundle(files, tree, first); err != nil {
			return fmt.Errorf("entries from %d: %w", first, err)
		}
	}
	fmt.Printf("size %d root %s signatures %d\n", tree.N, tree.Hash, len(vkeys))
	return nil
}

// checkBundle authenticates a bundle's tile, and proves each of its entries to be in the tree.
func checkBundle(files *folder, tree tlog.Tree, first int64) error {
	count := min(tree.N-first, 1<<height)
	entries, err := readBundle(files.root, first>>height, int(count))
	if err != nil {
		return err
	}
	indexes := make([]int64, count)
	for i := range indexes {
		indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
	}
	leaves, err := tlog.TileHashReader(tree, files).ReadHashes(indexes)
	if err != nil {
		return err
	}
	for i, entry := range entries {
		hash, place := tlog.RecordHash(entry), first+int64(i)
		proof, err := tlog.ProveRecord(tree.N, place, files.hashes(tree.N))
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, place, hash); err != nil || leaves[i] != hash {
			return fmt.Errorf("entry %d is not in the tree: %v", place, err)
		}
	}
	return nil
}

func readBundle(root string, index int64, count int) ([][]byte, error) {
	path := tlog.Tile{H: height, L: -1, N: index, W: count}.Path()
	path = "tile/entries/" + strings.TrimPrefix(path, fmt.Sprintf("tile/%d/data/", height))
	data, err := os.ReadFile(filepath.Join(root, path))
	entries := make([][]byte, 0, count)
	for err == nil && len(data) > 0 {
		size := 0
		if len(data) > 1 {
			size = int(binary.BigEndian.Uint16(data))
		}
		if len(data) < 2+size {
			return nil, fmt.Errorf("%s is cut short", path)
		}
		entries, data = append(entries, data[2:2+size]), data[2+size:]
	}
	if err == nil && len(entries) != count {
		err = fmt.Errorf("%s has %d entries, not %d", path, len(entries), count)
	}
	return entries, err
}

// openCheckpoint returns the text that every one of vkeys signed.
func openCheckpoint(path string, vkeys []string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	var known []note.Verifier
	for _, vkey := range vkeys {
		verifier, err := newVerifier(vkey)
		if err != nil {
			return "", err
		}
		known = append(known, verifier)
	}
	opened, err := note.Open(data, note.VerifierList(known...))
	if err != nil {
		return "", err
	}
	if len(opened.Sigs) != len(known) {
		return "", fmt.Errorf("%d of %d keys signed", len(opened.Sigs), len(known))
	}
	return opened.Text, nil
}
