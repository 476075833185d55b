"""What a key looks like."""

import pytest

from thumbnailer_storage.jobs.key_format import checksum, hash_of, is_well_formed, new_key


def test_a_new_key_is_well_formed_and_no_other_is_like_it() -> None:
    made = {new_key() for _ in range(1000)}
    assert len(made) == 1000
    assert all(is_well_formed(key) for key in made)


def test_any_one_wrong_character_is_noticed() -> None:
    key = new_key()
    for place in range(len(key)):
        other = "a" if key[place] != "a" else "b"
        assert not is_well_formed(key[:place] + other + key[place + 1 :])


@pytest.mark.parametrize(
    "change", [lambda key: key[:-1], lambda key: key + "a", lambda key: key + "\n", str.upper, lambda _: "",
               lambda _: "thn_", lambda key: key.replace("thn_", "ghp_"), lambda key: key[:-1] + "\u0661"],
)  # fmt: skip
def test_what_is_cut_changed_or_no_key_at_all_is_not_well_formed(change) -> None:
    assert not is_well_formed(change(new_key()))


def test_a_key_made_elsewhere_has_forty_characters_and_no_checksum() -> None:
    key = "thn_" + "0aZ9" * 10
    assert is_well_formed(key)
    for wrong in (key[:-1], key + "a", key[:-1] + "-", key + "\n", key.upper(), key.replace("thn_", "ghp_")):
        assert not is_well_formed(wrong)


def test_the_checksum_is_crc_32_in_six_digits_of_base_62() -> None:
    assert checksum("") == "000000"
    assert checksum("123456789") == "3jZRME"  # 0xCBF43926, the check value of CRC-32


def test_a_hash_is_sha_256() -> None:
    assert hash_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
