"""Names of Keras that fastmlp does not have, each with the nearest alternative.

Registries and modules look up unknown names here, so that the error tells the author of a Keras program what to use instead.
"""

from __future__ import annotations

import importlib.machinery
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, NoReturn, TypeVar

from fastmlp.errors import UnsupportedError

T = TypeVar("T")

_IMAGES = "all networks are of Dense layers; put a Flatten() before them"
_SEQUENCES = "all networks are of Dense layers; pass a window of the sequence as features"
_AXES = "samples are vectors; compute means or maxima of the data before fit"
_AUGMENTATION = "transform the images with NumPy or Pillow before fit, or in a generator of batches"
_OTHER_FRAMEWORK = "nothing of another framework runs in a network; use Dense, or compute its output before fit"
_OVERLAP = "use Precision and Recall"
_FILES = "read the files into arrays, or pass fit a generator"
_ONE_PROCESS = "fastmlp trains in one process; see fastmlp.set_num_threads"
_FLOAT32 = "everything is float32"
_NO_BACKEND = "fastmlp is its own backend; compute with NumPy"
_NO_OPERATION = "write it with other functions of fastmlp.ops, or compute with NumPy"
_ONE_STEP = "a step is compiled code; use callbacks, a loss of your own, or a loop with model.gradients and optimizer.apply"
_COMPILED = "a network is compiled code already"
_NO_VARIABLES = "there are no gradients to record; see fastmlp.Variable"


def _all(names: str, advice: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), advice)


_MODEL_AND_LAYER = {
    **_all("add_loss", "use kernel_regularizer, activity_regularizer, or an output of its own with a loss"),
    **_all("add_metric", "pass metrics to compile"),
    **_all("add_variable add_weight", "layers of your own can't be trained; build the model of fastmlp's layers"),
    **_all("build_from_config get_build_config", "use get_config and from_config, which hold the input shape"),
    **_all("call symbolic_call stateless_call", "call the model or layer itself"),
    **_all("compute_dtype dtype dtype_policy input_dtype variable_dtype", _FLOAT32),
    **_all("compute_mask supports_masking", "there are no masks; use sample_weight"),
    **_all("compute_output_spec input_spec", "use compute_output_shape, or the model's output_shape"),
    **_all("jax_state_sync rematerialized_call", _COMPILED),
    **_all("load_own_variables save_own_variables", "use save_weights and load_weights"),
    **_all("metrics_variables", "pass metrics to compile; their values are in the history"),
    **_all("quantization_mode quantize quantized_build quantized_call", _FLOAT32),
}

TABLES: dict[str, dict[str, str]] = {
    "": {
        **_all("DTypePolicy FloatDTypePolicy dtype_policies mixed_precision Quantizer quantizers", _FLOAT32),
        **_all("Function Operation KerasTensor InputSpec tree", "use Input, layers and Model"),
        **_all("StatelessScope SymbolicScope RematScope remat name_scope", _NO_VARIABLES),
        **_all("applications", "all networks are of Dense layers; compute features with another library and train on those"),
        "random": _NO_BACKEND,
        **_all("device distribution", _ONE_PROCESS),
        **_all("distillation", "train on the other model's predictions as y, with the loss 'kl_divergence' or 'mse'"),
        **_all("export", "use model.save"),
        **_all("legacy src version", "use fastmlp.__version__"),
        **_all("preprocessing", _FILES),
        **_all("visualization", "use fastmlp.utils.plot_model and callbacks.LivePlot"),
        **_all("wrappers", "call fit and predict, which take scikit-learn's arrays"),
    },
    "activations": {
        "prelu": "use the layer PReLU, or 'leaky_relu', whose slope is fixed",
    },
    "callbacks": {
        "OrbaxCheckpoint": "use ModelCheckpoint, or BackupAndRestore to go on with an interrupted fit",
        "RemoteMonitor": "send the logs yourself, with LambdaCallback(on_epoch_end=lambda epoch, logs: ...)",
    },
    "constraints": {},
    "datasets": {
        **_all("cifar10 cifar100", "all networks are of Dense layers; for a data set of images use datasets.mnist"),
    },
    "initializers": _all("STFT STFTInitializer stft", "it is for short-time Fourier transforms; set such values with layer.set_weights"),
    "layers": {
        **_all("Conv1D Conv2D Conv3D Conv1DTranspose Conv2DTranspose Conv3DTranspose", _IMAGES),
        **_all("Convolution1D Convolution2D Convolution3D Convolution1DTranspose Convolution2DTranspose Convolution3DTranspose", _IMAGES),
        **_all("SeparableConv1D SeparableConv2D SeparableConvolution1D SeparableConvolution2D DepthwiseConv1D DepthwiseConv2D", _IMAGES),
        **_all("MaxPool1D MaxPool2D MaxPool3D MaxPooling1D MaxPooling2D MaxPooling3D", _IMAGES),
        **_all("AvgPool1D AvgPool2D AvgPool3D AveragePooling1D AveragePooling2D AveragePooling3D", _IMAGES),
        **_all("AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D", _IMAGES),
        **_all("AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D", _IMAGES),
        **_all("UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D", _IMAGES),
        **_all("Cropping1D Cropping2D Cropping3D", "cut the arrays before fit: x[:, a:b]"),
        **_all("LSTM LSTMCell GRU GRUCell SimpleRNN SimpleRNNCell RNN StackedRNNCells ConvLSTM1D ConvLSTM2D ConvLSTM3D", _SEQUENCES),
        **_all("Bidirectional TimeDistributed Masking", _SEQUENCES),
        **_all("Attention MultiHeadAttention AdditiveAttention GroupQueryAttention", _SEQUENCES),
        **_all("GlobalAvgPool1D GlobalMaxPool1D", "use GlobalAveragePooling1D and GlobalMaxPooling1D"),
        **_all("GlobalAveragePooling2D GlobalAveragePooling3D GlobalMaxPooling2D GlobalMaxPooling3D", _AXES),
        **_all("GlobalAvgPool2D GlobalAvgPool3D GlobalMaxPool2D GlobalMaxPool3D", _AXES),
        **_all("SpatialDropout1D SpatialDropout2D SpatialDropout3D", "use Dropout"),
        **_all("AugMix AutoContrast CenterCrop ContrastLimitedAdaptiveHistogramEqualization CutMix Equalization", _AUGMENTATION),
        **_all("MaxNumBoundingBoxes MixUp RandAugment RandomBrightness RandomColorDegeneration RandomColorJitter", _AUGMENTATION),
        **_all(
            "RandomContrast RandomCrop RandomElasticTransform RandomErasing RandomFlip RandomGaussianBlur RandomGrayscale", _AUGMENTATION
        ),
        **_all(
            "RandomHue RandomInvert RandomPerspective RandomPosterization RandomRotation RandomSaturation RandomSharpness", _AUGMENTATION
        ),
        **_all("RandomShear RandomTranslation RandomZoom Resizing Solarization", _AUGMENTATION),
        **_all("FlaxLayer JaxLayer TFSMLayer TorchModuleWrapper", _OTHER_FRAMEWORK),
        **_all("MelSpectrogram STFTSpectrogram", "compute the spectrogram before fit"),
        "EinsumDense": "use Dense, as samples are vectors",
        "GroupNormalization": "use LayerNormalization()",
        "HashedCrossing": "join the columns to strings, and use Hashing",
        "InputSpec": "use Input(shape=...)",
        "Lambda": "nothing of a model is Python code; use Activation, Rescaling, or prepare the data before fit",
        "Pipeline": "put the layers into a Sequential model",
        "ReversibleEmbedding": "use Embedding and Dense",
        "SpectralNormalization": "use BatchNormalization() or LayerNormalization(), or kernel_constraint=MaxNorm()",
        "TextVectorization": "make word counts (scipy.sparse matrices are welcome) before fit",
        "UnitNormalization": "divide x by np.linalg.norm(x, axis=1, keepdims=True) before fit, or use RMSNormalization()",
        "Wrapper": "use the layer inside it",
    },
    "losses": {
        **_all("CTC ctc", "it is for sequences; fastmlp's networks have none"),
    },
    "metrics": {
        **_all("BinaryIoU IoU MeanIoU OneHotIoU OneHotMeanIoU", _OVERLAP),
    },
    "models": {
        "save_model": "use model.save",
    },
    "ops": {
        **_all("image linalg nn numpy", "use the functions of fastmlp.ops itself"),
        **_all("adaptive_average_pool adaptive_max_pool allclose angle append argpartition argsort array array_split", _NO_OPERATION),
        **_all("associative_scan average_pool bartlett batch_normalization bincount bitwise_and bitwise_invert", _NO_OPERATION),
        **_all("bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor blackman cbrt cdist cholesky", _NO_OPERATION),
        **_all("cholesky_inverse cond conj conjugate conv conv_transpose copy corrcoef correlate cross ctc_decode", _NO_OPERATION),
        **_all("ctc_loss cumprod custom_gradient deg2rad depth_to_space depthwise_conv det diag diagflat diagonal diff", _NO_OPERATION),
        **_all("digitize dot_product_attention dsplit dstack dtype eig eigh empty empty_like erfc erfinv", _NO_OPERATION),
        **_all("extract_sequences fabs fft fft2 fliplr flipud fmax fmin fmod fold fori_loop gcd geomspace get_item", _NO_OPERATION),
        **_all("hamming hanning heaviside histogram hsplit hypot i0 ifft2 imag in_top_k inv irfft isclose isin isneginf", _NO_OPERATION),
        **_all("isposinf isreal istft jvp kaiser kron layer_normalization lcm ldexp left_shift logaddexp2 logdet logspace", _NO_OPERATION),
        **_all("lstsq lu_factor map matrix_rank max_pool median meshgrid moments multi_hot nanargmax nanargmin nancumprod", _NO_OPERATION),
        **_all("nancumsum nanmax nanmean nanmedian nanmin nanpercentile nanprod nanquantile nanstd nansum nanvar", _NO_OPERATION),
        **_all("nextafter nonzero percentile pinv polar psnr ptp qr quantile rad2deg real rearrange rfft right_shift", _NO_OPERATION),
        **_all("rms_normalization rot90 saturate_cast scan scatter scatter_update searchsorted segment_max segment_min", _NO_OPERATION),
        **_all("segment_prod segment_sum select separable_conv signbit sinc slice slice_update slogdet solve", _NO_OPERATION),
        **_all("solve_triangular sort space_to_depth sparsemax stft svd switch trace trapezoid tri tril triu unfold", _NO_OPERATION),
        **_all("unique unravel_index vander vectorize vectorized_map view view_as_complex view_as_real vsplit while_loop", _NO_OPERATION),
    },
    "optimizers": {
        "LossScaleOptimizer": "everything is float32, so no loss needs a scale; use the optimizer inside it",
        **_all("MultiOptimizer OptimizerMap", "train the parts as models of their own, or use one optimizer for all weights"),
        "legacy": "use the optimizers of fastmlp.optimizers",
    },
    "optimizers.schedules": {},
    "regularizers": {},
    "utils": {
        **_all("Config", "use a dict"),
        **_all("deserialize_keras_object serialize_keras_object", "use get_config and from_config"),
        **_all("disable_interactive_logging enable_interactive_logging is_interactive_logging_enabled", "use verbose=0, 1 or 2"),
        **_all("FeatureSpace", "use CategoryEncoding, Embedding and Normalization on columns of their own"),
        "Progbar": "use rich.progress, or fit's verbose=1",
        "Sequence": "use utils.PyDataset",
        **_all("array_to_img img_to_array load_img save_img", "use Pillow: np.asarray(Image.open(path))"),
        **_all("audio_dataset_from_directory image_dataset_from_directory text_dataset_from_directory", _FILES),
        "timeseries_dataset_from_array": "use np.lib.stride_tricks.sliding_window_view",
        "bounding_boxes": "all networks are of Dense layers, without boxes",
        "get_source_inputs": "use model.inputs",
        "is_keras_tensor": "tensors are what Input() and layers return; use isinstance(x, fastmlp._graph.symbolic.Tensor)",
        "legacy": "use the functions of fastmlp.utils",
        "model_to_dot": "use utils.plot_model",
        **_all("pack_x_y_sample_weight unpack_x_y_sample_weight", "use plain tuples (x, y) and (x, y, sample_weight)"),
        "pad_sequences": "use np.pad on each, or count words into a sparse matrix",
        "standardize_dtype": _FLOAT32,
    },
    "Model": {
        **_MODEL_AND_LAYER,
        **_all("compute_loss compute_loss_and_updates compute_metrics get_metrics_result stateless_compute_loss", _ONE_STEP),
        **_all("train_step test_step predict_step make_train_function make_test_function make_predict_function", _ONE_STEP),
        "export": "use model.save; the C interface (docs/c-api.md) calls a model from other programs",
        "get_quantization_layer_structure": _FLOAT32,
        **_all("get_state_tree set_state_tree", "use get_weights and set_weights, or save and load_model"),
        **_all("jit_compile run_eagerly", _COMPILED),
        "losses": "the history's loss holds the penalties of regularizers",
        "reset_metrics": "metrics are reset in every epoch and every call",
    },
    "Layer": {
        **_MODEL_AND_LAYER,
        "losses": "the history's loss holds the penalties of regularizers",
        "metrics": "pass metrics to compile",
    },
}
"""By module (``""`` is fastmlp itself) or base class: names of Keras, each with the nearest alternative."""


ABSENT_MODULES = {
    *_all("applications distillation distribution dtype_policies export legacy mixed_precision preprocessing", ""),
    *_all("ops.image ops.linalg ops.nn ops.numpy", ""),
    *_all("quantizers random tree visualization wrappers optimizers.legacy datasets.cifar10 datasets.cifar100", ""),
}
"""The names among them that are modules in Keras."""

_OLD_MODULES = {
    **_all("engine engine.topology", "fastmlp.layers or fastmlp.models"),
    **_all("layers.advanced_activations layers.convolutional layers.core layers.embeddings layers.merge layers.noise", "fastmlp.layers"),
    **_all("layers.experimental layers.experimental.preprocessing layers.pooling layers.recurrent layers.wrappers", "fastmlp.layers"),
    **_all("utils.data_utils utils.generic_utils utils.layer_utils utils.np_utils utils.vis_utils", "fastmlp.utils"),
    "optimizers.experimental": "fastmlp.optimizers",
}
"""Modules of Keras before version 3, each with the module that has its names now."""


class MissingAttributeError(UnsupportedError, AttributeError):
    """An attribute that objects of Keras have and those of fastmlp do not; ``hasattr`` returns False."""


def plain(name: str) -> str:
    """The name in lower case and without underscores, to compare spellings."""
    return name.replace("_", "").lower()


def advice(module: str, name: str) -> str | None:
    """The alternative to ``name``, in any spelling; None for a name that Keras does not have either."""
    return _PLAIN[module].get(plain(name))


def missing(module: str, name: str) -> Any:
    """For a module's ``__getattr__``: a placeholder for a name of Keras that fastmlp does not have.

    Programs import more than they use, so importing the name succeeds, and using it raises the error.
    """
    path = f"{module}.{name}".lstrip(".")
    if name not in TABLES[module]:
        raise AttributeError(f"module {f'fastmlp.{module}'.rstrip('.')!r} has no attribute {name!r}")
    if path in ABSENT_MODULES:
        return importlib.import_module(f"fastmlp.{path}")  # through find_spec
    return Absent(path, TABLES[module][name])


class Absent:
    """A placeholder for a name of Keras: it can be imported and passed to ``isinstance``, and has attributes, but can't be used.

    Args:
        path: The name with its module: ``"layers.Conv2D"``.
        advice: What to use instead.
    """

    def __init__(self, path: str, advice: str) -> None:
        self.__path, self.__advice = path, advice

    def __getattr__(self, name: str) -> Absent:
        if name.startswith("_"):  # looked up by Python itself, such as __wrapped__, also before there is a path
            raise AttributeError(f"'Absent' object has no attribute {name!r}")
        return Absent(f"{self.__path}.{name}", self.__advice)

    def __use(self, *args: object, **options: object) -> NoReturn:
        raise UnsupportedError(f"{self.__path} is not in fastmlp; {self.__advice}")

    __call__ = __mro_entries__ = __getitem__ = __iter__ = __enter__ = __len__ = __array__ = __use

    def __bool__(self) -> bool:
        return True

    def __exit__(self, *exception: object) -> None:
        """Never called, because entering raises an error; ``with`` needs the attribute."""

    def __instancecheck__(self, item: object) -> bool:
        return False

    def __subclasscheck__(self, cls: type) -> bool:
        return False

    def __repr__(self) -> str:
        return f"<{self.__path} is not in fastmlp; {self.__advice}>"


class AbsentModule(ModuleType):
    """A placeholder for a module of Keras; its attributes are placeholders too."""

    def __init__(self, name: str, advice: str) -> None:
        super().__init__(name, f"Not in fastmlp; {advice}.")
        self.__advice = advice

    def __getattr__(self, name: str) -> Absent:
        if name.startswith("_"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return Absent(f"{self.__name__.partition('.')[2]}.{name}", self.__advice)

    def __repr__(self) -> str:
        return f"<module {self.__name__!r}, which is not in fastmlp; {self.__advice}>"


class _Loader:
    """An import loader that creates an :class:`AbsentModule`."""

    def __init__(self, advice: str) -> None:
        self._advice = advice

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> AbsentModule:
        return AbsentModule(spec.name, self._advice)

    def exec_module(self, module: ModuleType) -> None:
        """Does nothing, as there is no code."""


def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> importlib.machinery.ModuleSpec | None:
    """Import hook for modules that fastmlp does not have: a placeholder for those of Keras 3, an error for those of older versions."""
    path_here = name.partition(".")[2]
    parts = path_here.split(".")
    for i, part in enumerate(parts):
        if ".".join(parts[: i + 1]) in ABSENT_MODULES:
            advice = TABLES[".".join(parts[:i])][part]
            return importlib.machinery.ModuleSpec(name, _Loader(advice), is_package=True)  # type: ignore[arg-type]
    new = _OLD_MODULES.get(path_here)
    if new is not None:
        raise ModuleNotFoundError(f"{name} is a module of Keras before version 3; import from {new} instead", name=name)
    return None


class _Missing:
    """A class attribute in place of one of Keras: looking it up raises an error that names the alternative.

    A ``__getattr__`` of the class would do the same, but slow down every attribute lookup of a model, in predictions too.
    """

    def __init__(self, name: str, advice: str) -> None:
        self._name, self._advice = name, advice

    def __get__(self, item: object, owner: type) -> NoReturn:
        raise MissingAttributeError(f"{owner.__name__}.{self._name} is not in fastmlp; {self._advice}")


def answering(table: str) -> Callable[[type[T]], type[T]]:
    """Class decorator: looking up an attribute in this table raises an error that names the alternative."""

    def decorate(cls: type[T]) -> type[T]:
        for name, use in TABLES[table].items():
            setattr(cls, name, _Missing(name, use))
        return cls

    return decorate


_PLAIN = {module: {plain(name): advice for name, advice in table.items()} for module, table in TABLES.items()}
