module kubernaut.local/pause

go 1.24.0
