// Command sample adds two numbers.
package main

import "fmt"

func main() {
	fmt.Printf("%d\n", add(1, 2))
}

func add(a, b int) int {
	return a + b
}
