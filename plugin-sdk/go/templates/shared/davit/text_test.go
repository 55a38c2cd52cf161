package davit

import (
	"fmt"
	"reflect"
	"testing"
)

func TestTextsAreQuotedAsDavitsOwn(t *testing.T) {
	for text, want := range map[string]string{
		"plain": `"plain"`, "a \"b\" \\": `"a \"b\" \\"`, "\n\r\t\x00\x01\x7f\u0085": `"\n\r\t\0\u{1}\u{7f}\u{85}"`, "ä'": `"ä'"`,
	} {
		if got := Quoted(text); got != want {
			t.Errorf("%q: %s, not %s", text, got, want)
		}
	}
}

func TestJSONStringsAreEscapedNoMoreThanNeeded(t *testing.T) {
	for text, want := range map[string]string{
		"<a & b>": `"<a & b>"`, "\b\f\n\x01\"": `"\b\f\n\u0001\""`, "\u2028": "\"\u2028\"", `\u2028`: `"\\u2028"`,
	} {
		if got := JSONString(text); got != want {
			t.Errorf("%q: %s, not %s", text, got, want)
		}
	}
}

func TestOnlyAListOfStringsIsOne(t *testing.T) {
	if got, ok := JSONStrings(` ["a", "\u00e4"] `); !ok || !reflect.DeepEqual(got, []string{"a", "ä"}) {
		t.Errorf("%v %v", got, ok)
	}
	for _, text := range []string{"a", "null", "[1]", `["a", null]`, `["a",]`, `["a"] x`, ""} {
		if got, ok := JSONStrings(text); ok {
			t.Errorf("%s: %v", text, got)
		}
	}
}

func TestANumberHasDigitsAndFits(t *testing.T) {
	for text, want := range map[string]bool{"0": true, "+5": true, "4294967295": true, "4294967296": false, "": false, "+": false, "-1": false, "1_0": false} {
		if _, ok := Number(text, 32); ok != want {
			t.Errorf("%q: %v", text, ok)
		}
	}
}

func TestAWrappedErrorKeepsItsKind(t *testing.T) {
	err := AsError(fmt.Errorf("asking: %w", Unavailable(7, "gone")))
	if *err != (Error{KindUnavailable, "asking: gone", 7}) {
		t.Errorf("%+v", err)
	}
	if err := AsError(fmt.Errorf("plain")); *err != (Error{Kind: KindOther, Message: "plain"}) {
		t.Errorf("%+v", err)
	}
}
