package davit

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Quoted is a text in quotes for people, as Davit's own messages show texts (Rust's {:?}).
func Quoted(text string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\r':
			out.WriteString(`\r`)
		case r == '\t':
			out.WriteString(`\t`)
		case r == 0:
			out.WriteString(`\0`)
		case r < 0x20 || (r >= 0x7f && r < 0xa0):
			fmt.Fprintf(&out, `\u{%x}`, r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteByte('"')
	return out.String()
}

// JSONString is a text as a JSON string, escaped no more than JSON wants.
func JSONString(text string) string {
	var out strings.Builder
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	// A string has always a JSON form, and a Builder takes everything.
	_ = encoder.Encode(text)
	encoded := strings.TrimSuffix(out.String(), "\n")
	// Escaped for JavaScript's sake.
	return strings.NewReplacer(`\\`, `\\`, `\u2028`, "\u2028", `\u2029`, "\u2029").Replace(encoded)
}

// JSONStrings is a JSON list of strings; false where it is something else.
func JSONStrings(text string) ([]string, bool) {
	var list []*string
	if json.Unmarshal([]byte(text), &list) != nil || list == nil {
		return nil, false
	}
	texts := make([]string, 0, len(list))
	for _, one := range list {
		if one == nil {
			return nil, false
		}
		texts = append(texts, *one)
	}
	return texts, true
}

// Number is a decimal number of at most so many bits.
func Number(text string, bits int) (uint64, bool) {
	number, err := strconv.ParseUint(strings.TrimPrefix(text, "+"), 10, bits)
	return number, err == nil
}
