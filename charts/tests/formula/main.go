// Evaluates formulas as KEDA 2.20 does: the cast, the compilation against names of triggers, and nil for what failed.
// Reads [{"formula": …, "values": {trigger: number or null}}] and writes the results, a number or {"error": …} each.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/expr-lang/expr"
)

type question struct {
	Formula string
	Values  map[string]*float64
}

func main() {
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		panic(err)
	}
	answers := make([]any, len(questions))
	for i, each := range questions {
		answer, err := each.answer()
		if err != nil {
			answer = map[string]string{"error": err.Error()}
		}
		answers[i] = answer
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		panic(err)
	}
}

func (q question) answer() (any, error) {
	formula := fmt.Sprintf("let _kedaCompositeResult = (%s); _kedaCompositeResult == nil ? nil : float(_kedaCompositeResult)", q.Formula)
	names := map[string]float64{}
	values := map[string]any{}
	for name, value := range q.Values {
		names[name] = -1
		values[name] = nil
		if value != nil {
			values[name] = *value
		}
	}
	program, err := expr.Compile(formula, expr.Env(names))
	if err != nil {
		return nil, err
	}
	return expr.Run(program, values)
}
