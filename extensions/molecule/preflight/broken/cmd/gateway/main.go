// Command gateway is only looked at: it stands for a service whose activation for coverage went wrong.
package main

func main() {}
