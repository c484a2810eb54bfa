// Asks as Grafana's plugin does: clickhouse-go over HTTP with gzip. Reads statements from standard
// input, one JSON string per line, and prints the rows of each as a line of JSON.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"

	"github.com/ClickHouse/clickhouse-go/v2"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	connection, err := clickhouse.Open(&clickhouse.Options{
		Addr:        []string{os.Args[1]},
		Protocol:    clickhouse.HTTP,
		Auth:        clickhouse.Auth{Database: "telemetry", Username: os.Args[2], Password: os.Args[3]},
		Compression: &clickhouse.Compression{Method: clickhouse.CompressionGZIP},
	})
	fail(err)
	fail(connection.Ping(context.Background()))
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var statement string
		fail(json.Unmarshal(lines.Bytes(), &statement))
		rows, err := connection.Query(context.Background(), statement)
		fail(err)
		answer := [][]any{}
		for rows.Next() {
			row := []any{}
			for _, column := range rows.ColumnTypes() {
				row = append(row, reflect.New(column.ScanType()).Interface())
			}
			fail(rows.Scan(row...))
			answer = append(answer, row)
		}
		fail(rows.Err())
		fail(json.NewEncoder(os.Stdout).Encode(answer))
	}
}
