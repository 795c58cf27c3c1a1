module kubernaut.io/coverage/httpbin-e2e

go 1.24
