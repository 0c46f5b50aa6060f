package main

import "testing"

func TestAdd(t *testing.T) {
	if sum := add(1, 2); sum != 3 {
		t.Fatalf("the sum is %d", sum)
	}
}
