"""This module holds the notebooks by task: paragraphs in both languages, and code that is the same in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Said:
    """A Said is a paragraph in English and in Spanish."""

    en: str
    es: str


#: A cell: a paragraph, or code.
Cell: TypeAlias = Said | str


@dataclass(frozen=True)
class Task:
    """A Task is a notebook: its names, its titles and its cells.

    Attributes:
        names: of the files, without their ending, in English and in Spanish.
        title: of the notebook.
        cells: what follows.
    """

    names: tuple[str, str]
    title: Said
    cells: tuple[Cell, ...]


MOVIELENS = """import butaca

data = butaca.load_movielens("100k").keyed_by("movie_title")
train, test = butaca.random_split(data, test_share=0.2, seed=42)
len(train), len(test)"""

FIT = """model, history = butaca.recipe("default").for_data(train).fit(train)
recommender = butaca.Recommender.build(model, train, test=test)"""

YOUR_TABLE = Task(
    ("your_table", "su_tabla"),
    Said("Your own table", "Su propia tabla"),
    (
        Said(
            "A table as shops have it: semicolons, decimal commas, a day first, a customer that is missing, "
            "something bought twice.",
            "Una tabla como las que tienen las tiendas: puntos y comas, comas decimales, el día delante, un "
            "cliente que falta, algo comprado dos veces.",
        ),
        """from pathlib import Path

rows = [
    f"{person + 1};P{product:02d};{product % 3 + 1},5;{week * 7 + 1:02d}/11/2026"
    for week in range(4)
    for person in range(12)
    for product in range(10)
    if (person + product) % 2 == 0 and (person * product + week) % 3
]
rows = ["customer_id;product_id;quantity;order_date", *rows, ";P03;1,0;02/11/2026"]
Path("sales.csv").write_text("\\n".join(rows) + "\\n")
names = ["lamp", "chair", "table", "rug", "shelf", "vase", "clock", "mirror", "stool", "tray"]
products = [f"P{i:02d};{name};{'wood' if i % 2 else 'glass'}" for i, name in enumerate(names)]
Path("products.csv").write_text("\\n".join(["product_id;name;material", *products]) + "\\n")
print("\\n".join(rows[:4]))""",
        Said(
            "Columns are found by name, type and cells; whatever is decided is said. A row without a customer is an "
            "error until you say that it may be left out.",
            "Las columnas se reconocen por nombre, tipo y celdas; todo lo que se decide se dice. Una fila sin cliente "
            "es un error hasta que usted diga que puede quedar fuera.",
        ),
        """import butaca

try:
    butaca.read_table("sales.csv")
except butaca.ButacaError as error:
    print(error)""",
        """data = butaca.read_table("sales.csv", items="products.csv", drop_nulls=True, time_format="day-first")
for note in data.notes:
    print(note)
data.record(0)""",
        Said(
            "From here on it is like any other set: a model, a list, a reason.",
            "A partir de aquí es como cualquier otro conjunto: un modelo, una lista, una razón.",
        ),
        """model, _ = butaca.recipe("default").for_data(data).fit(data)
recommender = butaca.Recommender.build(model, data)
for item in recommender.recommend("1", 3, exclude_seen=False).items:
    print(item.title, round(item.score, 2))""",
    ),
)

NEW = Task(
    ("new_users_and_items", "usuarios_y_articulos_nuevos"),
    Said("New users and items", "Usuarios y artículos nuevos"),
    (
        MOVIELENS,
        FIT,
        Said(
            "**Someone new** with three films has a list at once, made of them; each film says how much of its score comes "
            "from which. Nothing is trained.",
            "**Alguien nuevo** con tres películas tiene una lista enseguida, hecha de ellas; cada película dice cuánto de su "
            "puntuación viene de cuál. No se entrena nada.",
        ),
        """answer = recommender.recommend(history=["Toy Story", "Aladdin", "Lion King, The"], k=5, explain=True)
print(answer.source)
for item in answer.items:
    reasons = ", ".join(f"{reason.title} {reason.share:.2f}" for reason in item.because)
    print(f"{item.title}: {reasons}")""",
        Said(
            "With nothing at all, what is popular answers, and the source says so. Somebody can also want less of "
            "something, or only films that meet a condition.",
            "Sin nada de nada responde lo popular, y la fuente lo dice. También se puede querer menos de algo, o solo películas "
            "que cumplan una condición.",
        ),
        """nobody = recommender.recommend(k=3)
print(nobody.source, [item.title for item in nobody.items])
where = {"year": {"min": 1990}, "movie_genres": "Comedy"}
some = recommender.recommend(history=["Toy Story"], less=["Aladdin"], where=where, k=3)
print([item.title for item in some.items])""",
        Said(
            "**A new film** that nobody has seen is placed by what is known of it: year, genres, the words of its title.",
            "**Una película nueva** que nadie ha visto se sitúa por lo que se sabe de ella: año, géneros, las palabras del título.",
        ),
        """from pathlib import Path

from butaca.data.tables import read_entities
from butaca.recommend.additions import with_items

Path("new.csv").write_text("movie_title,movie_genres\\nToy Story Returns (1998),Animation|Children|Comedy\\n")
table = read_entities("new.csv", "item", key="movie_title", is_text=True)
larger, became = with_items(recommender, table)
print(became)
print([item.title for item in larger.similar("Toy Story Returns (1998)", 5).items])""",
    ),
)

JUDGING = Task(
    ("judging_honestly", "juzgar_con_honradez"),
    Said("Judging honestly", "Juzgar con honradez"),
    (
        MOVIELENS,
        Said(
            "Every scorer is asked the same: where among all titles that the user has not seen does each held-out one "
            "stand? Ties count against it.",
            "A todos se les pregunta lo mismo: ¿en qué lugar, entre todos los títulos que el usuario no ha visto, está cada uno de los "
            "apartados? Los empates cuentan en contra.",
        ),
        """seen = butaca.Histories.of(train)
model, _ = butaca.recipe("default").for_data(train).fit(train)
scorers = {
    "default": model,
    "popularity": butaca.Popularity().fit(train),
    "item-kNN": butaca.ItemKNN().fit(train),
    "EASE": butaca.EASE().fit(train),
}
found = {name: butaca.evaluate_scorer(scorer, test, seen=seen) for name, scorer in scorers.items()}
for name, row in found.items():
    print(f"{name:12} top-10 {row.top_k(10):.4f}  NDCG@10 {row.metric('ndcg', 10):.4f}")""",
        Said(
            "A difference is one only if its interval excludes zero: users are drawn with replacement, the same for both sides.",
            "Una diferencia lo es solo si su intervalo excluye el cero: se sortean usuarios con reemplazo, los mismos para ambos lados.",
        ),
        """for name in ("popularity", "item-kNN", "EASE"):
    print(name, butaca.compare(found["default"], found[name], metric="ndcg", k=10))""",
        Said(
            "A random split lets everyone look ahead. What people have *next* is another question, with other answers: "
            "the last fifth in time is held out.",
            "Una partición al azar deja que todos vean el futuro. Lo que la gente tiene *después* es otra pregunta, con otras respuestas: "
            "se aparta la última quinta parte en el tiempo.",
        ),
        """before, after = butaca.temporal_split(data, test_share=0.2)
then = butaca.Histories.of(before)
later = {
    "popularity": butaca.Popularity().fit(before),
    "recent popularity": butaca.RecentPopularity().fit(before),
    "EASE": butaca.EASE().fit(before),
}
for name, scorer in later.items():
    row = butaca.evaluate_scorer(scorer, after, seen=then)
    print(f"{name:18} top-10 {row.top_k(10):.4f}  NDCG@10 {row.metric('ndcg', 10):.4f}")""",
    ),
)

SECOND = Task(
    ("second_stage", "segunda_etapa"),
    Said("The second stage", "La segunda etapa"),
    (
        MOVIELENS,
        Said(
            "The towers retrieve; a second stage, LightGBM's LambdaMART, orders what they retrieve by more than they can see. It "
            "learns from first stages that did not train on what it is asked, else it would believe them too much.",
            "Las torres recuperan; una segunda etapa, el LambdaMART de LightGBM, ordena lo recuperado con más de lo que ellas pueden "
            "ver. Aprende de primeras etapas que no entrenaron con lo que se le pregunta; si no, las creería demasiado.",
        ),
        """recipe = butaca.recipe("default").for_data(train)
model, _ = recipe.fit(train)
ranker = butaca.fit_ranker(train, lambda part: recipe.fit(part)[0], first=model)
two = butaca.TwoStage(model, ranker, butaca.Histories.of(train))""",
        Said(
            "Both are judged on the same pairs. The ceiling says what no order could reach, because it was not retrieved.",
            "Ambas se juzgan sobre los mismos pares. El techo dice qué no podría alcanzar ningún orden, porque no se recuperó.",
        ),
        """verdict = butaca.judge_ranking(two, test)
for gain in verdict.gains:
    print(gain)
print({k: round(share, 3) for k, share in verdict.ceiling.items()})""",
        Said(
            "In a list each item says where it stood before, and what moved it.",
            "En una lista, cada artículo dice dónde estaba antes y qué lo movió.",
        ),
        """from dataclasses import replace

recommender = replace(butaca.Recommender.build(model, train), ranker=ranker)
for item in recommender.recommend("21", 5, explain=True).items:
    print(item.title, item.place, [moved.feature for moved in item.moved or ()][:2])""",
    ),
)

SERVING = Task(
    ("serving_and_events", "servir_y_sucesos"),
    Said("Serving and events", "Servir y sucesos"),
    (
        MOVIELENS,
        FIT,
        """recommender.save("model")""",
        Said(
            "`butaca serve model` in a terminal does what this cell does: a process that answers from numpy alone.",
            "`butaca serve model` en una terminal hace lo que esta celda: un proceso que responde solo con numpy.",
        ),
        """import re
import subprocess
import sys

command = [sys.executable, "-m", "butaca", "serve", "model", "--port", "0"]
process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
address = next(found[0] for line in process.stdout if (found := re.search(r"http://[\\w.:]+", line)))""",
        """from butaca.client import Client, event

service = Client(address)
answer = service.recommend(user="somebody", k=3)
print(answer["source"], [item["title"] for item in answer["items"]])""",
        Said(
            "What somebody does counts in the very next list. The event has an id: sent again, it is known.",
            "Lo que alguien hace cuenta en la lista siguiente. El suceso tiene un identificador: enviado de nuevo, ya se conoce.",
        ),
        """watched = event("somebody", "Star Wars (1977)", kind="watch", request_id=answer["request_id"])
print(service.send([watched]), service.send([watched]))
answer = service.recommend(user="somebody", k=3, explain=True)
print(answer["source"], [item["title"] for item in answer["items"]])""",
        Said(
            "It can be taken back, and a person can be erased.",
            "Se puede retirar, y se puede borrar a una persona.",
        ),
        """print(service.undo(watched["id"], user="somebody")["removed"])
print(service.erase("somebody")["erased"])
service.close()
process.terminate()
process.wait(20)
process.stdout.close()""",
    ),
)

FRESH = Task(
    ("keeping_it_fresh", "mantenerlo_al_dia"),
    Said("Keeping it fresh", "Mantenerlo al día"),
    (
        Said(
            "A model is fitted, a service stores what people do, and at night the model is fitted again with that.",
            "Se entrena un modelo, un servicio guarda lo que hace la gente y por la noche se entrena de nuevo con ello.",
        ),
        """from pathlib import Path

from butaca.workflows.carrying import carry_out_fit
from butaca.workflows.plans import FitPlan

first = carry_out_fit(FitPlan("ml-100k", Path("model")))
print(first.judged.verdict.sentence)""",
        Said(
            "Three hundred people come who were not there before, and see four films each; the service's store has it.",
            "Llegan trescientas personas que antes no estaban, y ven cuatro películas cada una; el almacén del servicio lo tiene.",
        ),
        """from butaca.events.records import Event
from butaca.events.store import EventStore

films = ["Contact (1997)", "Titanic (1997)", "Air Force One (1997)", "Scream (1996)", "Fargo (1996)"]
events = [
    Event(f"e{p}-{n}", f"new {p}", films[(p + n) % 5], time=900_000_000 + p * 60 + n)
    for p in range(300)
    for n in range(4)
]
with EventStore.open("events.db") as store:
    store.add(events)""",
        """second = carry_out_fit(FitPlan("ml-100k", Path("model"), from_events="events.db"))
print(second.judged.verdict.sentence)
print(len(first.train), len(second.train))""",
        Said(
            "The folder holds the new version, whole; a running service goes on with the old one until it is told "
            "(`POST /v1/models/{version}/activate`). Titanic is more popular now.",
            "La carpeta contiene la versión nueva, entera; un servicio en marcha sigue con la anterior hasta que se le diga "
            "(`POST /v1/models/{version}/activate`). Titanic es ahora más popular.",
        ),
        """import butaca

loaded = butaca.Recommender.load("model")
counts = [one.popularity[one.find_item("Titanic (1997)")] for one in (first.recommender, loaded)]
print(counts, loaded.version)
print([item.title for item in loaded.recommend("new 7", 3).items])""",
    ),
)

TASKS = (YOUR_TABLE, NEW, JUDGING, SECOND, SERVING, FRESH)
