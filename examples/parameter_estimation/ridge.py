"""The plain estimator: kernel ridge regression on logarithms of spectra."""

import numpy as np
from sklearn.kernel_ridge import KernelRidge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

GAMMAS = np.geomspace(3e-4, 3e-2, 4)  # of the Gaussian kernel, times the number of features
PENALTIES = np.geomspace(1e-5, 1e-2, 4)
FOLDS = 5


def fitted(features: np.ndarray, target: np.ndarray) -> Pipeline:
    """The estimator of one parameter, its two constants chosen by cross-validation."""
    grid = {
        "kernelridge__gamma": GAMMAS / features.shape[1],
        "kernelridge__alpha": PENALTIES,
    }
    pipeline = make_pipeline(StandardScaler(), KernelRidge(kernel="rbf"))
    folds = KFold(FOLDS, shuffle=True, random_state=1)
    search = GridSearchCV(pipeline, grid, cv=folds, scoring="neg_mean_squared_error")
    # Around the mean: kernel ridge has no constant term.
    return search.fit(features, target - 0.5).best_estimator_


def estimators(features: np.ndarray, targets: np.ndarray) -> list[Pipeline]:
    """One for each parameter."""
    return [fitted(features, target) for target in targets.T]


def predict(models: list[Pipeline], features: np.ndarray) -> np.ndarray:
    """Shape (runs, parameters)."""
    return np.stack([model.predict(features) + 0.5 for model in models], axis=1)


def predict_unseen(models: list[Pipeline], features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Predictions for the runs that were learned from, each by estimators that did not see it."""
    folds = KFold(2 * FOLDS, shuffle=True, random_state=2)
    found = [
        cross_val_predict(model, features, target - 0.5, cv=folds) + 0.5
        for model, target in zip(models, targets.T, strict=True)
    ]
    return np.stack(found, axis=1)
