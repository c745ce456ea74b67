"""Who is who in a table of people, however a platform or a spreadsheet wrote it, and whom an archive means."""

from __future__ import annotations

import pytest

pytest.importorskip("nbgrader", reason="grading stands on nbgrader: pip install -e '.[grading]'")

from fmnist_helpers.grading.people import People, Person, TableError, read_table

ADA = "ada@uni.example"
FORMS = {
    "Moodle's worksheet": "Identifier,Full name,Email address,Grade\nParticipant 12,Ada Lovelace,ada@uni.example,\n",
    "in German": "ID;Vollständiger Name;E-Mail-Adresse;Bewertung\nTeilnehmer/in12;Ada Lovelace;ada@uni.example;\n",
    "in no known language": "Numerus,Nomen,Litterae\n12,Ada Lovelace,ada@uni.example\n",
    "with tabs": "First name\tLast name\tEmail address\nAda\tLovelace\tada@uni.example\n",
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_tables_of_every_usual_form_say_who_somebody_is(tmp_path, text, encoding):
    path = tmp_path / "people.csv"
    path.write_bytes(text.replace("\n", "\r\n").encode(encoding))
    (person,) = read_table(path).people()
    assert person.keys == (ADA,)
    assert person.number in ("12", "") and person.name in ("Ada Lovelace", "")
    read_table(path).write(tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()


def test_keys_stand_in_the_order_in_which_they_name_a_folder(tmp_path):
    path = tmp_path / "gradebook.csv"
    path.write_text(
        "Student,ID,SIS User ID,SIS Login ID,Section,ex03_loss (991)\n"
        ",,,,,Manual Posting\n"
        "    Points Possible,,,,,17\n"
        '"Lovelace, Ada",12345,s0042,ada,A,\n'
    )
    assert read_table(path).people() == [
        None,
        None,
        Person(("ada", "s0042"), number="12345", name="Lovelace, Ada"),
    ]


@pytest.mark.parametrize(
    ("number", "is_key"),
    [("Participant 101", False), ("참가자 101", False), ("参与者101", False), ("s101", True), ("101", True)],
)
def test_a_participants_number_is_no_key_in_any_script(tmp_path, number, is_key):
    path = tmp_path / "people.csv"
    path.write_text(f"Identifier,Full name\n{number},Ada Lovelace\n", encoding="utf-8")
    (person,) = read_table(path).people()
    assert person.keys == ((number,) if is_key else ()) and person.number == "101"


@pytest.mark.parametrize(
    "header",
    [
        "Última modificación (entrega),Última modificación (calificación)",
        "Dernière modification (travail remis),Dernière modification (note)",
        "Last modified (submission),Last modified (grade)",
    ],
)
def test_in_any_language_the_first_time_of_the_worksheet_is_that_of_handing_in(tmp_path, header):
    path = tmp_path / "people.csv"
    rows = "12,ada@u.example,2025-03-02 23:59,2025-03-09 10:00\n13,zoe@u.example,-,2025-03-09 10:00\n"
    path.write_text(f"Numerus,Litterae,{header}\n{rows}", encoding="utf-8")
    assert [one.handed_in for one in read_table(path).people()] == ["2025-03-02 23:59", "-"]
    path.write_text(
        f"Numerus,Litterae,Course (2025),Course (2026)\n{rows.replace('2025', 'a')}", encoding="utf-8"
    )
    assert [one.handed_in for one in read_table(path).people()] == ["", ""]


def test_a_picture_in_a_cell_makes_a_table_no_less_a_table(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(f"Email address,Online text\n{ADA},{'A' * 500_000}\n")
    (person,) = read_table(path).people()
    assert person.keys == (ADA,)


@pytest.mark.parametrize("text", ["", "only one line\n", "Colour,Size\nred,3\n", 'Email address\n"\0"\n'])
def test_what_tells_of_nobody_is_refused(tmp_path, text):
    path = tmp_path / "people.csv"
    path.write_text(text)
    with pytest.raises(TableError, match=r"no table|tells who"):
        read_table(path).people()


PEOPLE = People(
    [
        Person((ADA,), "12", "Ada Lovelace"),
        Person(("zoe@uni.example",), "13", "Zoë Müller"),
        Person(("kim1@uni.example",), "14", "Kim Lee"),
        Person(("kim2@uni.example",), "15", "Kim Lee"),
        Person(("jan@uni.example",), "16", "van der Berg, Jan"),
        None,
    ]
)


@pytest.mark.parametrize(
    ("name", "number", "key", "way"),
    [
        ("Ada Lovelace", "12", ADA, "number"),
        ("whoever", "12", ADA, "number"),
        ("Ada Lovelace", "99", ADA, "name"),
        ("lovelaceada", "99", ADA, "name"),
        ("Zoe\u0308 Mu\u0308ller", "", "zoe@uni.example", "name"),
        ("mullerzoe", "", "zoe@uni.example", "name"),
        ("Jan van der Berg", "", "jan@uni.example", "name"),
        ("ADA@uni.example", "", ADA, "key"),
        ("Kim Lee", "15", "kim2@uni.example", "number"),
        ("Kim Lee", "99", None, "2 people of the list have this name"),
        ("Kim", "", None, "nobody of the list has this name or number"),
    ],
)
def test_somebody_is_found_by_number_key_or_name_and_never_guessed(name, number, key, way):
    person, found_by = PEOPLE.find(name, number)
    assert (person.keys[0] if person else None, found_by) == (key, way)


def test_who_has_no_key_goes_by_name_and_only_where_that_is_not_enough_by_number_too(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(
        'Identifier,Full name\nParticipant 1,Ada\nParticipant 2,Kim Lee\nParticipant 3,"Lee, Kim"\n'
    )
    people = People(read_table(path).people())
    assert [people.label(one) for one in people.all] == ["Ada", "Kim Lee_2", "Lee, Kim_3"]
    path.write_text("Identifier,Grade\nParticipant 1,\nParticipant 2,\n")
    people = People(read_table(path).people())
    assert [people.label(one) for one in people.all] == ["Participant 1", "Participant 2"]
    assert list(map(str, people.all)) == ["Participant 1", "Participant 2"]


def test_doubles_are_told_and_one_row_twice_is_one_person():
    ada, other = Person((ADA,), "12", "Ada"), Person((ADA,), "13", "Ben")
    assert People([ada, ada]).doubles() == []
    assert People([ada, other]).doubles() == [
        f"2 rows of the list have the key {ADA}: Ada ({ADA}), Ben ({ADA})"
    ]
    assert People([ada, other]).find(ADA) == (None, "2 people of the list have this key")
