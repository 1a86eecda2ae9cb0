from __future__ import annotations

from types import ModuleType

from framelift.runtime.models.memory import activation_bytes_per_pixel


def test_peak_is_the_residual_sum_of_a_shuffle_model(tiny_models: ModuleType) -> None:
    # Two addends and their sum, float32, 3·s² channels each.
    model = tiny_models.pixel_shuffle_model(scale=4, channels=8)
    assert activation_bytes_per_pixel(model, 1) == 3 * 4 * 48


def test_wider_networks_take_more(tiny_models: ModuleType) -> None:
    narrow = tiny_models.pixel_shuffle_model(scale=2, channels=32, layers=3)
    wide = tiny_models.pixel_shuffle_model(scale=2, channels=64, layers=3)
    assert activation_bytes_per_pixel(wide, 1) > 1.5 * activation_bytes_per_pixel(narrow, 1)


def test_fixed_sizes_and_size_multiples(tiny_models: ModuleType) -> None:
    model = tiny_models.pixel_shuffle_model(frame_shape=(2, 24, 32))
    assert activation_bytes_per_pixel(model, 1) == 3 * 4 * 48
    assert activation_bytes_per_pixel(tiny_models.pixel_shuffle_model(), 7) == 3 * 4 * 48
