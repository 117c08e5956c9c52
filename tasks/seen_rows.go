package tasks

// seenRows maps the export IDs of a batch to rows, to find duplicates. It grows with the rows of a
// batch, so it contains no pointers.
type seenRows map[[exportIDSize]byte]uint32

// exportIDSize is the length of an export ID, see store.Keyset.ExportID.
const exportIDSize = 16

func (s seenRows) row(export string) (row uint32, twice bool) {
	row, twice = s[[exportIDSize]byte([]byte(export))]
	return row, twice
}

func (s seenRows) add(export string, row int) { s[[exportIDSize]byte([]byte(export))] = uint32(row) }
