"""What a trained network's word is worth, fitted out of fold: by one command each.

`confidence_fit` fits and checks probabilities, confidence and range for heads with skull,
`stripped_heads` for those without; `tumor_check_fit` tells tumors from white-matter disease;
`input_check_rates` says what the input check lets in. Their numbers are shipped with the weights.
"""
