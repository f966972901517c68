"""The comparison of methods: one recipe's rows, every method it allows, several seeds; what each scores and costs."""
