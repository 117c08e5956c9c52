package flows

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"github.com/seekout/icims-export/api"
)

// downloads clicks a link to a file and returns the file's content.
func (b *tab) downloads(name, file string) string {
	b.t.Helper()
	dir := b.t.TempDir()
	b.do(func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		own, err := cdp.Call(ctx, tab, target.GetTargetInfo, target.GetTargetInfoParams{})
		if err == nil {
			_, err = cdp.Call(ctx, tab, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{Behavior: "allow", BrowserContextID: own.TargetInfo.BrowserContextID, DownloadPath: dir})
		}
		return chromedp.Void{}, err
	})
	b.click(name)
	look := time.NewTicker(25 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-look.C {
		if content, err := os.ReadFile(filepath.Join(dir, file)); err == nil && len(content) > 0 {
			return string(content)
		}
	}
	b.t.Fatalf("%s was not downloaded\nat %s\nthe page: %s", file, b.at(), b.text())
	return ""
}

// The file is embedded in the page, and the page stays open.
func TestRefusedRowsAreDownloadedFromPreviewAndReceipt(t *testing.T) {
	t.Parallel()
	for name, scriptless := range map[string]bool{"with JavaScript": false, "without": true} {
		t.Run(name, func(t *testing.T) {
			// A separate service, since candidates who were exported before are skipped.
			s := newService(t)
			s.connect()
			b := open(t, s.url)
			if scriptless {
				b.withoutScript()
			}
			b.logIn(s.key(api.ScopeExport))
			b.visit("/customers/" + customer + "/export")
			b.ticks("Prospects…")
			b.uploads("File", candidatesFile(t))
			if b.scriptless {
				b.goes("Preview")
			} else {
				b.click("Preview")
			}
			b.sees("Nothing has been sent yet.", "2 refused")
			b.hasRefused(b.downloads("Download refused rows (CSV)", "refused-rows.csv"))
			b.sees("Nothing has been sent yet.")
			if b.scriptless {
				b.uploads("File", candidatesFile(t))
			}
			b.goes("Export")
			b.sees("accepted as prospects, 2 rows refused.")
			b.hasRefused(b.downloads("Download refused rows (CSV)", "refused-rows.csv"))
		})
	}
}

func (b *tab) hasRefused(file string) {
	b.t.Helper()
	lines := strings.Split(strings.TrimSpace(file), "\r\n")
	if len(lines) < 3 || lines[0] != "row,line,field,reason,remedy" || strings.Contains(file, "c-10") || strings.Contains(file, "raul") {
		b.t.Errorf("the file has %q", file)
	}
}
