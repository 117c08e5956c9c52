package figures

import (
	"math"
	"strings"
	"testing"
)

func TestSample(t *testing.T) {
	s := Sample{5, 1, 4, 2, 3}
	for q, want := range map[float64]float64{0: 1, 0.2: 1, 0.21: 2, 0.5: 3, 0.95: 5, 1: 5} {
		if got := s.Quantile(q); got != want {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if got := s.Median(); got != 3 {
		t.Errorf("median %v", got)
	}
	if got := (Sample{4, 1, 2, 3}).Median(); got != 2.5 {
		t.Errorf("median of four %v", got)
	}
	if got := s.Text("%.1f", " s"); got != "3.0 s (1.0 to 5.0)" {
		t.Errorf("%q", got)
	}
	if !math.IsNaN(Sample{}.Median()) || !math.IsNaN(Sample{}.Quantile(0.5)) {
		t.Error("nothing measured is a figure")
	}
}

func TestJain(t *testing.T) {
	for _, c := range []struct {
		shares []float64
		want   float64
	}{
		{[]float64{3, 3, 3, 3}, 1}, {[]float64{8, 0, 0, 0}, 0.25}, {[]float64{1, 3}, 0.8},
	} {
		if got := Jain(c.shares); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%v: %v, want %v", c.shares, got, c.want)
		}
	}
}

func TestTable(t *testing.T) {
	var table Table
	if !table.Empty() {
		t.Error("a new table is not empty")
	}
	table.Judge("share", Sample{0.9, 0.8, 1}, AtLeast(0.85, "", "%.2f"))
	table.Judge("wait", Exactly(30), AtMost(20, " s", "%.0f"))
	table.Note("noted", Exactly(1), "%.0f", " %")
	var out strings.Builder
	if err := table.Write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"0.90 (0.80 to 1.00)  at least 0.85  met", "30 s                 at most 20 s   not met", "1 %                  -"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestNobodysProcess(t *testing.T) {
	if CPUSeconds(-1) != 0 || ResidentMB(-1) != 0 {
		t.Error("a process that does not exist has used something")
	}
}
