package cli_test

import (
	"encoding/csv"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"linkbroker/cli"
)

func TestSheetReads(t *testing.T) {
	for claim, test := range map[string]struct {
		name, text string
		head       string
		rows       []cli.SheetRow
	}{
		"a row, with what it does not know carried over": {
			"in.csv", "name,path,query\nShop 1,pages/item,id=1\n", "name,path,query,url,key,expires_at,outcome,spliced,error\n",
			[]cli.SheetRow{{2, `{"path":"pages/item","query":"id=1"}`, "Shop 1,pages/item,id=1"}},
		},
		"an empty path as the home page, and other empty cells as nothing": {
			"in.csv", "path,query,expire_time,app\n,,,\n", "path,query,expire_time,app,url,key,expires_at,outcome,spliced,error\n",
			[]cli.SheetRow{{2, `{"path":""}`, ",,,"}},
		},
		"numbers as they stand there, truths of Excel's, and JSON": {
			"in.csv", "path,expire_type,expire_interval,splice,cloud_base,extra\np,1,007,TRUE,\"{\"\"env\"\": \"\"e\"\"}\",no JSON\n",
			"path,expire_type,expire_interval,splice,cloud_base,extra,url,key,expires_at,outcome,spliced,error\n",
			[]cli.SheetRow{{
				2, `{"path":"p","expire_type":"1","expire_interval":"007","cloud_base":{"env":"e"},"splice":true,"extra":"no JSON"}`,
				`p,1,007,TRUE,"{""env"": ""e""}",no JSON`,
			}},
		},
		"a byte order mark, which Excel needs again": {
			"in.csv", "\xEF\xBB\xBF\"path\"\np\n", "\xEF\xBB\xBF\"path\",url,key,expires_at,outcome,spliced,error\n",
			[]cli.SheetRow{{2, `{"path":"p"}`, "p"}},
		},
		"lines of Windows, which the output has as well": {
			"in.csv", "path,x\r\np,1\r\nq,2", "path,x,url,key,expires_at,outcome,spliced,error\r\n",
			[]cli.SheetRow{{2, `{"path":"p"}`, "p,1"}, {3, `{"path":"q"}`, "q,2"}},
		},
		"quotes, commas and lines inside of cells": {
			"in.csv", "path,x\np,\"a \"\"b\"\", c\"\n\nq,\"two\r\nlines\"\nr,\n", "path,x,url,key,expires_at,outcome,spliced,error\n",
			[]cli.SheetRow{
				{2, `{"path":"p"}`, `p,"a ""b"", c"`},
				{4, `{"path":"q"}`, "q,\"two\r\nlines\""},
				{6, `{"path":"r"}`, "r,"},
			},
		},
		"other encodings in what it carries over": {
			"in.csv", "path,\xD0\xD5\xC3\xFB\np,\xD5\xC5\xC8\xFD\n", "path,\xD0\xD5\xC3\xFB,url,key,expires_at,outcome,spliced,error\n",
			[]cli.SheetRow{{2, `{"path":"p"}`, "p,\xD5\xC5\xC8\xFD"}},
		},
		"columns without a name":   {"in.csv", "path,,\np,,\n", "path,,,url,key,expires_at,outcome,spliced,error\n", []cli.SheetRow{{2, `{"path":"p"}`, "p,,"}}},
		"a header and no rows":     {"in.csv", "path", "path,url,key,expires_at,outcome,spliced,error\n", nil},
		"no line at all":           {"in.ndjson", "", "", nil},
		"an object a line":         {"in.jsonl", "{\"note\": 1, \"path\":\"p\" , \"expire_time\": 17 }\r\n\n{}\n", "", []cli.SheetRow{{1, `{"path":"p","expire_time":17}`, `{"note": 1, "path":"p" , "expire_time": 17`}, {3, `{}`, `{`}}},
		"an object without a line": {"in.ndjson", `{"path":"p"}`, "", []cli.SheetRow{{1, `{"path":"p"}`, `{"path":"p"`}}},
	} {
		t.Run(claim, func(t *testing.T) {
			rows, head, err := cli.ReadSheet(test.name, test.text)
			if err != nil || head != test.head || !reflect.DeepEqual(rows, test.rows) {
				t.Errorf("error %v, head %q and\n%+v\nwant head %q and\n%+v", err, head, rows, test.head, test.rows)
			}
		})
	}
}

func TestSheetRefuses(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for claim, test := range map[string]struct{ name, text, want string }{
		"another kind of file":               {"in.xlsx", "", "must end in .csv"},
		"an empty file":                      {"in.csv", "", "it is empty"},
		"a file without a header":            {"in.csv", "pages/item,id=1\n", "has no column path"},
		"columns parted by semicolons":       {"in.csv", "path;query\np;a=1\n", "Commas stand between them"},
		"a column twice":                     {"in.csv", "path,query,query\n", `has the column "query" twice`},
		"a column in capitals":               {"in.csv", "Path,query\n", `has the column "Path": write it "path"`},
		"a column with a space":              {"in.csv", "path, query\n", `has the column " query": write it "query"`},
		"a column of the output":             {"in.csv", "path,url\n", `has the column "url", which is one of the output's`},
		"a row with too few cells":           {"in.csv", "path,query\np,a\nq\n", "line 3 has not as many cells as the header, which has 2"},
		"a row with too many cells":          {"in.csv", "path\np,a\n", "line 2 has not as many cells"},
		"a quote inside of a cell":           {"in.csv", "path,x\np,5\" nail\n", `line 2 has a " inside of a cell`},
		"a quote that does not end":          {"in.csv", "path,x\np,\"5\nq,6\n", "line 2 has a cell in quotes that does not end"},
		"a header whose quote does not end":  {"in.csv", "\"path\n", "line 1 has a cell in quotes"},
		"what is asked in GBK":               {"in.csv", "path,scope,note\np,a,\xC4\xE3\np,\xC4\xE3,b\n", "line 3 has a cell below \"scope\" that is not UTF-8"},
		"UTF-16":                             {"in.csv", "\xFF\xFEp\x00", "it is UTF-16"},
		"a quote that swallows the file":     {"in.csv", "path,x\np,\"" + long + long + long, "is a quote missing?"},
		"a line that is no JSON":             {"in.ndjson", "{}\n{\"path\":\n", "line 2 is no JSON object"},
		"a line that is no object":           {"in.ndjson", "[1]\n", "line 1 is no JSON object"},
		"null":                               {"in.ndjson", "null\n", "line 1 is no JSON object"},
		"two objects on a line":              {"in.ndjson", "{} {}\n", "line 1 is no JSON object"},
		"a name twice":                       {"in.ndjson", `{"path":"a","path":"b"}`, "line 1 is no JSON object, or has a name twice"},
		"a name of the output":               {"in.ndjson", `{"path":"a","error":1}`, `has the column "error"`},
		"a line that is longer than any row": {"in.ndjson", `{"path":"` + long, "line 1 is longer than"},
	} {
		t.Run(claim, func(t *testing.T) {
			if _, _, err := cli.ReadSheet(test.name, test.text); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

// linkOf gives every third row an error.
func linkOf(n int) string {
	if n%3 == 2 {
		return ""
	}
	return fmt.Sprintf("https://wxaurl.cn/%d", n)
}

func mustWrite(t *testing.T, name, input string) string {
	t.Helper()
	output, err := cli.WriteOutput(name, input, linkOf)
	if err != nil {
		t.Fatal(err)
	}
	return output
}

func TestSheetWrites(t *testing.T) {
	for claim, test := range map[string]struct{ name, input, want string }{
		"the row and its result, and no formula": {
			"in.csv", "path,x\r\na,\"1\r\n2\"\r\nb,\r\nc,",
			"path,x,url,key,expires_at,outcome,spliced,error\r\n" +
				"a,\"1\r\n2\",https://wxaurl.cn/0,k,2027-01-31T08:00:00Z,miss,false,\r\n" +
				"b,,https://wxaurl.cn/1,k,2027-01-31T08:00:00Z,miss,false,\r\n" +
				"c,,,,,,,\"'=refused, \"\"quoted\"\"\nor not\"\r\n",
		},
		"an object and its result": {
			"in.ndjson", "{ }\n{\"path\":\"b\"}\n{\"a\":[1] }",
			`{"url":"https://wxaurl.cn/0","key":"k","expires_at":"2027-01-31T08:00:00Z","outcome":"miss","spliced":false,"error":null}` + "\n" +
				`{"path":"b","url":"https://wxaurl.cn/1","key":"k","expires_at":"2027-01-31T08:00:00Z","outcome":"miss","spliced":false,"error":null}` + "\n" +
				`{"a":[1],"url":null,"key":null,"expires_at":null,"outcome":null,"spliced":false,"error":"=refused, \"quoted\"\nor not"}` + "\n",
		},
	} {
		t.Run(claim, func(t *testing.T) {
			if got := mustWrite(t, test.name, test.input); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// inputs has what may stand in a file.
var inputs = map[string]string{
	"in.csv":    "\xEF\xBB\xBFname,path\r\n\"a,\"\"b\",p\r\n\n\"two\r\nlines\",q\r\nc,r\r\nd,\r\n\"\",t",
	"in.ndjson": "{\"path\":\"a\",\"note\":\"}\"}\n\n{}\n{\"path\":\"b\" }\r\n{\"path\":\"c\"}",
}

// TestResumeBehindAnyCut cuts an output off behind each of its bytes, as a crash may, and with zeros behind it, as the
// power may. Whole rows stay, and no other.
func TestResumeBehindAnyCut(t *testing.T) {
	for name, input := range inputs {
		output := mustWrite(t, name, input)
		rows, head, err := cli.ReadSheet(name, input)
		if err != nil {
			t.Fatal(err)
		}
		ends := []int{len(head)} // of rows, in bytes
		for i := range rows {
			ends = append(ends, len(firstRows(t, name, output, i+1)))
		}
		for cut := range len(output) + 1 {
			want := 0
			for want < len(rows) && ends[want+1] <= cut {
				want++
			}
			keep := int64(ends[want])
			if cut < len(head) {
				keep = 0
			}
			for _, tail := range []string{"", "\x00\x00\x00"} {
				if done, kept, err := cli.Resume(name, input, output[:cut]+tail, ""); err != nil || done != want || kept != keep {
					t.Fatalf("%s cut off behind %d of %d bytes: error %v, %d rows in %d bytes stay, want %d in %d\n%q",
						name, cut, len(output), err, done, kept, want, keep, output[:cut])
				}
			}
		}
	}
}

// firstRows gives an output with so many rows.
func firstRows(t *testing.T, name, output string, n int) string {
	t.Helper()
	if strings.HasSuffix(name, ".ndjson") {
		return strings.Join(strings.SplitAfter(output, "\n")[:n], "")
	}
	reader := csv.NewReader(strings.NewReader(output[3:])) // behind the mark
	for range n + 1 {
		if _, err := reader.Read(); err != nil {
			t.Fatal(err)
		}
	}
	return output[:3+reader.InputOffset()]
}

func TestResumeRefuses(t *testing.T) {
	const input = "path,x\na,1\nb,2\nc,3\n"
	output := mustWrite(t, "in.csv", input)
	objects := "{\"path\":\"a\",\"x\":1}\n{\"path\":\"b\"}\n"
	for claim, test := range map[string]struct{ name, input, part, want string }{
		"the output of other columns":       {"in.csv", "path,y\na,1\n", output, "its columns are not those of the input"},
		"another file":                      {"in.csv", input, "hello, world\n", "its columns are not those of the input"},
		"a row that was changed":            {"in.csv", strings.Replace(input, "b,2", "b,7", 1), output, "line 3 of what was written is not that of line 3 of the input"},
		"a row that was taken out":          {"in.csv", strings.Replace(input, "b,2\n", "", 1), output, "line 3 of what was written is not that of line 3"},
		"a row that was put in":             {"in.csv", strings.Replace(input, "b,2\n", "d,4\nb,2\n", 1), output, "line 3 of what was written is not that of line 3"},
		"rows that were taken off":          {"in.csv", "path,x\na,1\n", output, "line 3 of what was written is beyond the end of the input"},
		"a damaged row in the middle":       {"in.csv", input, strings.Replace(output, "b,2,", "b,2;", 1), "what was written: line 3 has not as many cells"},
		"a quote lost in the middle":        {"in.csv", input, strings.Replace(output, "b,2,https", `b,2,"https`, 1), "what was written: line 3"},
		"a value that was changed":          {"in.ndjson", strings.Replace(objects, `"x":1`, `"x":2`, 1), mustWrite(t, "in.ndjson", objects), "line 1 of what was written is not"},
		"a name that was taken out":         {"in.ndjson", strings.Replace(objects, `,"x":1`, ``, 1), mustWrite(t, "in.ndjson", objects), "line 1 of what was written is not"},
		"a line that is none in the middle": {"in.ndjson", objects, "{\"path\":\n" + mustWrite(t, "in.ndjson", objects), "what was written: line 1 is no JSON object"},
	} {
		t.Run(claim, func(t *testing.T) {
			if _, _, err := cli.Resume(test.name, test.input, test.part, ""); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}

// TestRetryOfChangedRows lets those rows be mended that had no link, and no others.
func TestRetryOfChangedRows(t *testing.T) {
	const input = "path,x\na,1\nb,2\nc?,3\nd,4\n" // the third has no link
	whole := mustWrite(t, "in.csv", input)
	mended := strings.Replace(input, "c?,3", "c,3", 1)
	part := firstLines(mustWrite(t, "in.csv", mended), 5) // of which the third row has two
	if done, _, err := cli.Resume("in.csv", mended, part, whole); err != nil || done != 3 {
		t.Errorf("a row without a link was mended: error %v, %d rows are done, want 3", err, done)
	}
	for claim, test := range map[string]struct{ input, want string }{
		"a row with a link was changed": {strings.Replace(input, "b,2", "b,7", 1), "line 3 of the output is not that of line 3 of the input"},
		"rows were taken off":           {"path,x\na,1\n", "line 3 of the output is beyond the end of the input"},
	} {
		if _, _, err := cli.Resume("in.csv", test.input, mustWrite(t, "in.csv", test.input), whole); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %s", claim, err, test.want)
		}
	}
}

func firstLines(text string, n int) string {
	return strings.Join(strings.SplitAfter(text, "\n")[:n], "")
}

// FuzzResume reads outputs that something was done to: whatever it is, what is kept is a part of it that a second
// reading keeps as a whole.
func FuzzResume(f *testing.F) {
	for name, input := range inputs {
		output, err := cli.WriteOutput(name, input, linkOf)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name == "in.csv", input, output)
		f.Add(name == "in.csv", input, output[:len(output)/2])
		f.Add(name == "in.csv", input, output[:len(output)-1])
	}
	f.Add(true, "path\n\"\n\"\n", "path,url,key,expires_at,outcome,spliced,error\n\"\n\",,,,,,")
	f.Fuzz(func(t *testing.T, isCSV bool, input, part string) {
		name := "in.ndjson"
		if isCSV {
			name = "in.csv"
		}
		done, keep, err := cli.Resume(name, input, part, "")
		if err != nil {
			return
		}
		if keep < 0 || keep > int64(len(part)) {
			t.Fatalf("%d of %d bytes are kept", keep, len(part))
		}
		if again, kept, err := cli.Resume(name, input, part[:keep], ""); err != nil || again != done || kept != keep {
			t.Fatalf("read again: error %v, %d rows in %d bytes, want %d in %d", err, again, kept, done, keep)
		}
		whole, err := cli.WriteOutput(name, input, linkOf)
		if err != nil {
			return // a later row of the input is a bad one
		}
		if rows, kept, err := cli.Resume(name, input, whole, ""); err != nil || kept != int64(len(whole)) {
			t.Fatalf("a whole output: error %v, %d rows in %d of %d bytes", err, rows, kept, len(whole))
		}
	})
}
