"""Layers that Keras has and fastmlp does not, each with what comes nearest."""

from __future__ import annotations

_IMAGES = "networks are made of Dense layers; put a Flatten() before them"
_SEQUENCES = "networks are made of Dense layers; give them a window of the sequence as columns"
_AXES = "rows are vectors; take means or maxima of the data before fit"

ELSEWHERE = {
    **dict.fromkeys(("Conv1D", "Conv2D", "Conv3D", "Conv1DTranspose", "Conv2DTranspose", "SeparableConv2D", "DepthwiseConv2D"), _IMAGES),
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D", "UpSampling2D", "ZeroPadding2D"), _IMAGES),
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN", "RNN", "Bidirectional", "TimeDistributed", "Masking"), _SEQUENCES),
    **dict.fromkeys(("Attention", "MultiHeadAttention", "AdditiveAttention", "GroupQueryAttention"), _SEQUENCES),
    **dict.fromkeys(("GlobalAveragePooling1D", "GlobalMaxPooling1D"), "put Flatten() between Embedding and Dense instead"),
    **dict.fromkeys(("GlobalAveragePooling2D", "GlobalMaxPooling2D", "SpatialDropout1D", "SpatialDropout2D", "Permute"), _AXES),
    "ActivityRegularization": "use Dropout, or smaller layers",
    "Discretization": "cut the data with np.digitize before fit",
    "Dot": "compute the products before fit",
    "EinsumDense": "use Dense: rows are vectors",
    "GroupNormalization": "use LayerNormalization()",
    "Hashing": "hash the data into numbers before fit, then use CategoryEncoding or Embedding",
    "Identity": "leave the layer out, or use Activation('linear')",
    "IntegerLookup": "number the values with np.unique(return_inverse=True) before fit, then use CategoryEncoding or Embedding",
    "Lambda": "nothing of a model is Python code; use Activation, Rescaling, or prepare the data before fit",
    "RepeatVector": "use Dense: rows are vectors",
    "ReversibleEmbedding": "use Embedding and Dense",
    "SpectralNormalization": "use BatchNormalization() or LayerNormalization()",
    "StringLookup": "number the strings with np.unique(return_inverse=True) before fit, then use CategoryEncoding or Embedding",
    "TextVectorization": "make word counts (scipy.sparse matrices are welcome) before fit",
    "UnitNormalization": "divide the rows by np.linalg.norm(x, axis=1, keepdims=True) before fit, or use RMSNormalization()",
}
